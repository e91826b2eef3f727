//! Claiming what is due: ready operations, and those whose worker's lease has run out.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::types::{Json, Uuid};

use super::{Store, StoreError, failed_to};
use crate::domain::{OperationId, OperationType, Resolution, TrackingId};

/// An operation that this worker holds until its lease runs out.
#[derive(Debug)]
pub struct Claimed {
    /// Its id.
    pub id: OperationId,
    /// Its type.
    pub operation_type: OperationType,
    /// Its payload, as it was accepted.
    pub payload: Box<RawValue>,
    /// The number of this attempt: the fence.
    pub attempt: i32,
    /// `k` of its Idempotency-Key.
    pub key_number: i32,
    /// Attempts that ended with their process.
    pub lost: i16,
    /// Where it stands.
    pub places: Places,
    /// Its lender, when its type is run one at a time for each inside Fineract.
    pub lender: Option<String>,
    /// Its reference (UTR).
    pub reference: Option<String>,
    /// Fineract's numeric id of what it changes, as answered to our own create.
    pub known_id: Option<i64>,
    /// How an operator says that it ended: nothing is sent any more.
    pub resolution: Option<Resolution>,
    /// Why it is troubled, if it is: a stable code.
    pub why: Option<String>,
    /// Whether the time until which it may be sent has passed, by the database's clock.
    pub is_past_expiry: bool,
    /// Since when it is troubled, if it is.
    pub why_since: Option<DateTime<Utc>>,
    /// How long it had been troubled when it was claimed, by the database's clock.
    pub troubled_for: Duration,
    /// How long ago it had been accepted when it was claimed, by the database's clock.
    pub age: Duration,
    /// When the claim was asked for, by the monotonic clock: the lease is at least this old.
    pub claimed_at: Instant,
}

impl Claimed {
    /// The name by which callers know it.
    pub fn tracking_id(&self) -> TrackingId {
        TrackingId {
            operation_type: self.operation_type,
            id: self.id,
        }
    }
}

/// Where an operation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The lane it writes.
    pub lane: String,
    /// Its position there.
    pub position: i64,
    /// The lane it reads, and its position there.
    pub read: Option<(String, i64)>,
}

impl Places {
    /// The lanes it stands in.
    pub(super) fn lanes(&self) -> Vec<String> {
        let read = self.read.as_ref().map(|(lane, _)| lane.clone());
        std::iter::once(self.lane.clone()).chain(read).collect()
    }
}

/// Reads a resolution's word; an unknown one must not pass for none, or the operation would be sent.
pub(super) fn read_resolution(word: Option<&str>) -> Result<Option<Resolution>, StoreError> {
    let unknown = StoreError::Unknown { what: "resolution" };
    word.map(|word| Resolution::from_name(word).ok_or(unknown))
        .transpose()
}

/// What a worker asks for.
#[derive(Clone, Debug)]
pub struct ClaimLimits {
    /// At most so many.
    pub count: i64,
    /// For how long.
    pub lease: Duration,
    /// The types this gateway runs.
    pub types: Vec<String>,
    /// How many this worker holds already, of each lender that has any.
    pub held_by_lender: HashMap<String, i64>,
    /// How many it may hold of one lender.
    pub per_lender: i64,
}

impl Store {
    /// Claims what is due, the longest due first. It is committed when this returns.
    pub async fn claim(&self, limits: &ClaimLimits) -> Result<Vec<Claimed>, StoreError> {
        let claimed_at = Instant::now();
        let (lenders, held): (Vec<_>, Vec<_>) = limits.held_by_lender.clone().into_iter().unzip();
        let rows = sqlx::query_as!(
            Row,
            r#"WITH RECURSIVE lender AS (
                 -- Those that wait for something: one step down the index for each, however much waits.
                 (SELECT o.lender AS name FROM operation o
                   WHERE o.lender IS NOT NULL AND o.due_at IS NOT NULL ORDER BY o.lender LIMIT 1)
                  UNION ALL
                 SELECT (SELECT o.lender FROM operation o
                          WHERE o.lender > l.name AND o.due_at IS NOT NULL ORDER BY o.lender LIMIT 1)
                   FROM lender l
                  WHERE l.name IS NOT NULL
               ), due AS (
                 SELECT o.id, o.due_at
                   FROM (SELECT id, due_at FROM operation
                          WHERE lender IS NULL AND due_at <= now() AND NOT held AND type = ANY ($3)
                          ORDER BY due_at, id LIMIT $1 FOR UPDATE SKIP LOCKED) o
                  UNION ALL
                 SELECT o.id, o.due_at
                   FROM lender l
                   LEFT JOIN unnest($4::text[], $5::bigint[]) AS h (name, held) USING (name)
                  CROSS JOIN LATERAL (
                        SELECT id, due_at FROM operation
                         WHERE lender = l.name AND due_at <= now() AND NOT held AND type = ANY ($3)
                         ORDER BY due_at, id LIMIT least($1, greatest($6 - COALESCE(h.held, 0), 0))
                           FOR UPDATE SKIP LOCKED) o
               ), taken AS MATERIALIZED (
                 SELECT id FROM due ORDER BY due_at, id LIMIT $1
               )
               UPDATE operation o
                  SET state = 'running', attempt = o.attempt + 1,
                      due_at = now() + make_interval(secs => $2),
                      -- Still running, but due: its lease ran out with its process.
                      lost = o.lost + (o.state = 'running')::int::smallint
                 FROM taken JOIN payload p ON p.operation_id = taken.id WHERE o.id = taken.id
            RETURNING o.id, o.type, o.attempt, o.key_number, o.lost, o.lane, o.position, o.read_lane,
                      o.read_position, o.lender, o.resolution, o.why, o.why_since,
                      EXTRACT(EPOCH FROM now() - o.accepted_at)::float8 AS age_seconds,
                      COALESCE(o.expires_at <= now(), false) AS "is_past_expiry!",
                      EXTRACT(EPOCH FROM now() - o.why_since)::float8 AS troubled_seconds,
                      p.data AS "data: Json<Box<RawValue>>", p.reference,
                      (SELECT resource_id FROM lane WHERE key = o.lane) AS known_id"#,
            limits.count,
            limits.lease.as_secs_f64(),
            &limits.types,
            &lenders,
            &held,
            limits.per_lender,
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed_to("claim operations"))?;
        rows.into_iter()
            .map(|row| row.claimed(claimed_at))
            .collect()
    }

    /// Renews the leases of attempts that are still under way; gives back those that were. What is just being
    /// started or settled is left out: its turn comes with the next call.
    pub async fn renew(
        &self,
        held: &[(OperationId, i32)],
        lease: Duration,
    ) -> Result<Vec<OperationId>, StoreError> {
        let ids: Vec<_> = held.iter().map(|(id, _)| id.0).collect();
        let attempts: Vec<_> = held.iter().map(|(_, attempt)| *attempt).collect();
        let renewed = sqlx::query_scalar!(
            "WITH free AS (
                 -- What is locked is being started or settled: to wait for it would be to deadlock with it.
                 SELECT o.id
                   FROM operation o
                   JOIN unnest($1::uuid[], $2::int[]) AS h (id, attempt) USING (id, attempt)
                  WHERE o.state = 'running'
                    FOR NO KEY UPDATE OF o SKIP LOCKED
             )
             UPDATE operation o
                SET due_at = now() + make_interval(secs => $3)
               FROM free
              WHERE o.id = free.id
          RETURNING o.id",
            &ids,
            &attempts,
            lease.as_secs_f64(),
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed_to("renew leases"))?;
        Ok(renewed.into_iter().map(OperationId).collect())
    }

    /// The operation before this one in its lane that used the same reference and has not failed.
    pub async fn same_reference(
        &self,
        claimed: &Claimed,
    ) -> Result<Option<TrackingId>, StoreError> {
        let Some(reference) = &claimed.reference else {
            return Ok(None);
        };
        let earlier = sqlx::query!(
            "SELECT o.id, o.type
               FROM payload p
               JOIN operation o ON o.id = p.operation_id
              WHERE p.lane = $1 AND p.reference = $2 AND o.position < $3 AND o.state <> 'failed'
              ORDER BY o.position
              LIMIT 1",
            claimed.places.lane,
            reference,
            claimed.places.position,
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(failed_to("look for a reference"))?;
        earlier
            .map(|row| {
                Ok(TrackingId {
                    operation_type: operation_type(&row.r#type)?,
                    id: OperationId(row.id),
                })
            })
            .transpose()
    }
}

/// A claimed operation as the columns have it.
struct Row {
    id: Uuid,
    r#type: String,
    attempt: i32,
    key_number: i32,
    lost: i16,
    lane: String,
    position: i64,
    read_lane: Option<String>,
    read_position: Option<i64>,
    lender: Option<String>,
    resolution: Option<String>,
    is_past_expiry: bool,
    why: Option<String>,
    why_since: Option<DateTime<Utc>>,
    age_seconds: Option<f64>,
    troubled_seconds: Option<f64>,
    data: Json<Box<RawValue>>,
    reference: Option<String>,
    known_id: Option<i64>,
}

impl Row {
    fn claimed(self, claimed_at: Instant) -> Result<Claimed, StoreError> {
        Ok(Claimed {
            id: OperationId(self.id),
            operation_type: operation_type(&self.r#type)?,
            payload: self.data.0,
            attempt: self.attempt,
            key_number: self.key_number,
            lost: self.lost,
            places: Places {
                lane: self.lane,
                position: self.position,
                read: self.read_lane.zip(self.read_position),
            },
            lender: self.lender,
            reference: self.reference,
            known_id: self.known_id,
            resolution: read_resolution(self.resolution.as_deref())?,
            is_past_expiry: self.is_past_expiry,
            why: self.why,
            why_since: self.why_since,
            troubled_for: seconds(self.troubled_seconds),
            age: seconds(self.age_seconds),
            claimed_at,
        })
    }
}

fn operation_type(name: &str) -> Result<OperationType, StoreError> {
    OperationType::from_name(name).ok_or(StoreError::Unknown { what: "type" })
}

fn seconds(seconds: Option<f64>) -> Duration {
    Duration::try_from_secs_f64(seconds.unwrap_or_default()).unwrap_or_default()
}
