//! Claims due operations: ready operations, and running operations whose lease has expired.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::{
    Postgres,
    postgres::{PgArguments, PgRow},
    query::Map,
    types::Json,
};
use uuid::Uuid;

use super::{
    Store, StoreError, TrackingName,
    claimed::{ClaimLimits, Claimed, Row},
    due::Look,
    error::failed_to,
    patience::{self, WithTimeout},
};
use crate::{
    domain::{OperationId, OperationType, comparable_reference, is_number},
    telemetry::chain,
};

/// The reason code of an operation that is parked after five deaths, if it has no attempt.
pub const KILLS_ITS_WORKER: &str = "kills_its_worker";

/// After this many deaths, a worker runs the operation alone. Otherwise, another operation that runs at the same time
/// could be blamed for the next death.
pub const SUSPECT_AFTER: i16 = 2;

/// The statement that claims. It searches one list of due operations for each lender, and one list of operations
/// without a lender. In each list, it starts at the position that `look` gives.
pub(super) fn statement(
    limits: &ClaimLimits,
    look: &Look,
) -> Map<'static, Postgres, impl FnMut(PgRow) -> Result<Row, sqlx::Error> + use<>, PgArguments> {
    let (lenders, leased): (Vec<_>, Vec<_>) = limits.leased_by_lender.clone().into_iter().unzip();
    sqlx::query_as!(
        Row,
        r#"WITH list AS (
             -- Where each list begins: after the last claimed operation, but at most `seconds` ago; else at its start.
             SELECT name, COALESCE(LEAST(after, ago), '-infinity') AS after,
                    CASE WHEN after <= ago THEN id ELSE '00000000-0000-0000-0000-000000000000' END AS id
               FROM unnest($8::text[], $9::timestamptz[], $10::uuid[], $11::float8[]) AS l (name, after, id, seconds)
              CROSS JOIN LATERAL (SELECT now() - make_interval(secs => l.seconds) AS ago) AS a
           ), due AS (
             SELECT o.id, o.due_at
               FROM list l
              CROSS JOIN LATERAL (
                    SELECT id, due_at FROM operation
                     WHERE lender IS NULL AND (due_at, id) > (l.after, l.id) AND due_at <= now() AND NOT on_hold
                       AND type = ANY ($3)
                     ORDER BY due_at, id LIMIT $1 FOR UPDATE SKIP LOCKED) o
              WHERE l.name IS NULL
              UNION ALL
             SELECT o.id, o.due_at
               FROM list l
               LEFT JOIN unnest($4::text[], $5::bigint[]) AS h (name, count) USING (name)
              CROSS JOIN LATERAL (
                    SELECT id, due_at FROM operation
                     WHERE lender = l.name AND (due_at, id) > (l.after, l.id) AND due_at <= now() AND NOT on_hold
                       AND type = ANY ($3)
                     ORDER BY due_at, id LIMIT least($1, greatest($6 - COALESCE(h.count, 0), 0))
                       FOR UPDATE SKIP LOCKED) o
              WHERE l.name IS NOT NULL
           ), taken AS MATERIALIZED (
             SELECT id, due_at FROM due ORDER BY due_at, id LIMIT $1
           )
           UPDATE operation o
              SET state = 'running', attempt = o.attempt + 1,
                  due_at = now() + make_interval(secs => $2),
                  -- The time in which it was due and no worker took it (an outage, a backlog) does not count.
                  reason_since = o.reason_since + least(now() - o.due_at, now() - o.reason_since),
                  -- A running operation that is due has lost its lease with its process. An operation that only
                  -- waited there is not at fault: from the second death on, only a claim that ran alone counts.
                  lost = o.lost + CASE WHEN o.state = 'running' THEN
                      EXISTS (SELECT FROM attempt a WHERE a.operation_id = o.id AND a.number = o.attempt)::int::smallint
                      ELSE 0 END,
                  deaths = o.deaths + CASE WHEN o.state = 'running' AND (o.deaths < $7 OR o.begun = o.attempt) THEN
                      (NOT EXISTS (SELECT FROM attempt a WHERE a.operation_id = o.id AND a.number = o.attempt))::int::smallint
                      ELSE 0 END
             FROM taken JOIN payload p ON p.operation_id = taken.id CROSS JOIN books b WHERE o.id = taken.id
        RETURNING o.id, o.type, o.attempt, o.key_number, o.lost, o.deaths, o.reason_counts, o.lane, o.position, o.read_lane,
                  o.read_position, o.lender, o.resolution, o.nothing_waits, o.reason_code, o.reason_since, taken.due_at AS "was_due_at!",
                  EXTRACT(EPOCH FROM now() - o.accepted_at)::float8 AS age_seconds,
                  COALESCE(o.expires_at <= now(), false) AS "is_past_expiry!",
                  CASE WHEN o.read_first THEN
                      COALESCE(EXTRACT(EPOCH FROM now() - (SELECT max(since) FROM hold_all)), 0)::float8
                      END AS forgotten_seconds,
                  EXTRACT(EPOCH FROM now() - o.reason_since)::float8 AS retrying_seconds,
                  p.data AS "data: Json<Box<RawValue>>", p.reference, p.traceparent,
                  (SELECT resource_id FROM lane WHERE key = o.lane AND resource_epoch = b.epoch) AS known_id,
                  (SELECT resource_id FROM lane WHERE key = o.read_lane AND resource_epoch = b.epoch) AS read_known_id,
                  b.epoch"#,
        limits.count,
        limits.lease.as_secs_f64(),
        &limits.types,
        &lenders,
        &leased,
        limits.per_lender,
        SUSPECT_AFTER,
        &look.lenders as &[Option<String>],
        &look.after as &[Option<DateTime<Utc>>],
        &look.ids as &[Option<Uuid>],
        &look.seconds as &[Option<f64>],
    )
}

impl Store {
    /// Claims due operations, starting with the operations that have been due for the longest time. The claims are
    /// committed when this method returns. If this gateway cannot read a claimed row, it sends nothing for this
    /// operation until the lease expires. The other claimed operations run.
    pub async fn claim(&self, limits: &ClaimLimits) -> Result<Vec<Claimed>, StoreError> {
        let claimed_at = Instant::now();
        let look = self.due.look(limits);
        let rows = statement(limits, &look)
            .fetch_all(&self.pool)
            .or_fail_to("claim operations")
            .await?;
        self.due.record(limits, look, &rows);
        let claimed = rows.into_iter().filter_map(|row| {
            let id = row.id;
            row.claimed(claimed_at)
                .inspect_err(|error| {
                    tracing::error!(operation.id = %id, error = %chain(error), "a claimed operation cannot be read; nothing is sent for it, and it becomes due again when its lease expires");
                })
                .ok()
        });
        Ok(claimed.collect())
    }

    /// Renews the leases of operations that are still running, and returns the operations whose leases it renewed. If
    /// the row of an operation is locked, because an attempt is being started or completed, the operation is left out.
    /// The next call renews its lease.
    pub async fn renew(
        &self,
        leased: &[(OperationId, i32)],
        lease: Duration,
    ) -> Result<Vec<OperationId>, StoreError> {
        let ids: Vec<_> = leased.iter().map(|(id, _)| id.0).collect();
        let attempts: Vec<_> = leased.iter().map(|(_, attempt)| *attempt).collect();
        let renewing = sqlx::query_scalar!(
            "WITH free AS (
                 -- A locked operation is being started or completed. Waiting for it could cause a deadlock.
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
        );
        // A late renewal is useless, because the worker calls this method again after a third of the lease.
        let renewed = patience::within(lease / 6, renewing.fetch_all(&self.pool))
            .await
            .map_err(failed_to("renew leases"))?;
        Ok(renewed.into_iter().map(OperationId).collect())
    }

    /// Records that the worker has begun to run a claimed operation alone. If the process dies after this, the death is
    /// counted for the operation. Returns `false` if the claim is lost.
    pub async fn record_begun(&self, id: OperationId, attempt: i32) -> Result<bool, StoreError> {
        let noted = sqlx::query!(
            "UPDATE operation SET begun = $2 WHERE id = $1 AND attempt = $2 AND state = 'running'",
            id.0,
            attempt
        )
        .execute(&self.pool)
        .or_fail_to("record that an operation was begun")
        .await?;
        Ok(noted.rows_affected() == 1)
    }

    /// Finds the operations of the given type that come before this operation in its lane and that were sent under more
    /// than one key.
    pub async fn rekeyed_before(
        &self,
        claimed: &Claimed,
        operation_type: OperationType,
    ) -> Result<Vec<OperationId>, StoreError> {
        let ids = sqlx::query_scalar!(
            "SELECT id
               FROM operation
              WHERE lane = $1 AND position < $2 AND key_number > 1 AND type = $3",
            claimed.lane_entries.lane,
            claimed.lane_entries.position,
            operation_type.as_str(),
        )
        .fetch_all(&self.pool)
        .or_fail_to("look for operations with older keys")
        .await?;
        Ok(ids.into_iter().map(OperationId).collect())
    }

    /// Finds the first earlier operation in the lane that uses the same reference and has not failed.
    pub async fn same_reference(
        &self,
        claimed: &Claimed,
    ) -> Result<Option<TrackingName>, StoreError> {
        let Some(reference) = &claimed.reference else {
            return Ok(None);
        };
        let comparable = comparable_reference(reference);
        let perhaps = sqlx::query!(
            r#"SELECT id AS "id!", type AS "type!", reference AS "reference!" FROM (
                   SELECT o.id, o.type, p.reference, o.position
                     FROM payload p
                     JOIN operation o ON o.id = p.operation_id
                    WHERE p.lane = $1 AND p.reference IS NOT NULL
                      AND (plain_reference(p.reference) = $2 OR plain_reference(p.reference) IS NULL
                           OR $4 AND plain_reference(p.reference) LIKE '0%')
                      AND o.state <> 'failed'
                    UNION ALL
                   -- Archived operations, also those whose rows are gone.
                   SELECT r.operation_id, p.type, r.reference, r.position
                     FROM past_reference r
                     JOIN past_operation p ON p.id = r.operation_id
                    WHERE r.lane = $1 AND (r.reference = $2 OR plain_reference(r.reference) IS NULL)) used
                WHERE position < $3
                ORDER BY position"#,
            claimed.lane_entries.lane,
            comparable,
            claimed.lane_entries.position,
            is_number(&comparable),
        )
        .fetch_all(&self.pool)
        .or_fail_to("look for an earlier use of a reference")
        .await?;
        Ok(perhaps
            .into_iter()
            .find(|row| comparable_reference(&row.reference) == comparable)
            .map(|row| TrackingName::new(&row.r#type, row.id)))
    }
}
