//! Releases operations on hold by filter.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    domain::State,
    store::{Operator, Store, StoreError, patience::WithTimeout},
};

/// The largest number of operations that one transaction releases.
const CHUNK: i64 = 500;

/// Selects operations on hold. A selected operation meets every condition that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HoldFilter {
    /// The operation type.
    pub operation_type: Option<String>,
    /// The lender. Only a `LOAN_CREATE` has a lender.
    pub lender: Option<String>,
    /// The lane that the operation writes: `client:<externalId>` or `loan:<externalId>`, in lower case.
    pub lane: Option<String>,
    /// Accepted at this time or later.
    pub accepted_after: Option<DateTime<Utc>>,
    /// Accepted before this time.
    pub accepted_before: Option<DateTime<Utc>>,
    /// Whether an attempt was ever committed, as far as this database knows.
    pub sent: Option<bool>,
}

impl HoldFilter {
    /// Whether no condition is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The result of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Released {
    /// The number of operations released.
    pub released: u64,
    /// Whether other operations that match are still on hold, because the limit was reached or because they are locked.
    pub has_more: bool,
}

impl Store {
    /// Releases at most `limit` of the matching operations that are on hold by hold-all, in the order of acceptance.
    /// Writes a row of the audit for each released operation. Operations that an operator put on hold individually stay
    /// on hold.
    pub async fn release_on_hold(
        &self,
        filter: &HoldFilter,
        limit: i64,
        reason: &str,
        operator: &Operator,
    ) -> Result<Released, StoreError> {
        let mut released = 0;
        while released < limit {
            let count = CHUNK.min(limit - released);
            let chunk = self.release_chunk(filter, count, reason, operator).await?;
            if chunk == 0 {
                break;
            }
            self.notifier.notify_work();
            released += chunk;
        }
        Ok(Released {
            released: u64::try_from(released).unwrap_or_default(),
            has_more: self.has_more_on_hold(filter).await?,
        })
    }

    async fn release_chunk(
        &self,
        filter: &HoldFilter,
        count: i64,
        reason: &str,
        operator: &Operator,
    ) -> Result<i64, StoreError> {
        sqlx::query_scalar!(
            r#"WITH free AS (
                 SELECT o.id, o.state, o.hold_all, o.reason_code, o.resolution
                   FROM operation o
                  WHERE o.on_hold AND o.ended_at IS NULL AND o.hold_all IS NOT NULL
                    AND ($1::text IS NULL OR o.type = $1)
                    AND ($2::text IS NULL OR o.lender = $2)
                    AND ($3::text IS NULL OR o.lane = $3)
                    AND ($4::timestamptz IS NULL OR o.accepted_at >= $4)
                    AND ($5::timestamptz IS NULL OR o.accepted_at < $5)
                    AND ($6::bool IS NULL OR $6 = EXISTS (SELECT FROM attempt a WHERE a.operation_id = o.id AND a.error IS DISTINCT FROM 'not_sent'))
                  ORDER BY o.accepted_at, o.id
                  LIMIT $7
                    FOR NO KEY UPDATE OF o SKIP LOCKED
               ), noted AS (
                 INSERT INTO audit (operator, action, operation_id, request_id, detail, address, reason, credential_id, before, after)
                 SELECT $8, 'release', id, $9, json_build_object('state', state, 'hold_all', hold_all, 'reason', $10::text),
                        $12, $10::text, $13,
                        json_build_object('state', state, 'on_hold', true, 'reason_code', reason_code, 'resolution', resolution),
                        json_build_object('state', state, 'on_hold', false, 'reason_code', reason_code, 'resolution', resolution)
                   FROM free
               ), released AS (
                 UPDATE operation o
                    SET on_hold = false, hold_all = NULL,
                        -- The time on hold does not count towards parking, so the count begins now.
                        reason_since = CASE WHEN o.state = $11 THEN o.reason_since WHEN o.reason_code IS NOT NULL THEN now() END
                   FROM free
                  WHERE o.id = free.id
              RETURNING o.id
               )
               SELECT count(*) AS "count!" FROM released"#,
            filter.operation_type,
            filter.lender,
            filter.lane,
            filter.accepted_after,
            filter.accepted_before,
            filter.sent,
            count,
            operator.name,
            operator.request_id,
            reason,
            State::Parked.as_str(),
            operator.address,
            operator.credential,
        )
        .fetch_one(&self.pool)
        .or_fail_to("release what is on hold")
        .await
    }

    async fn has_more_on_hold(&self, filter: &HoldFilter) -> Result<bool, StoreError> {
        sqlx::query_scalar!(
            r#"SELECT EXISTS (
                 SELECT FROM operation o
                  WHERE o.on_hold AND o.ended_at IS NULL AND o.hold_all IS NOT NULL
                    AND ($1::text IS NULL OR o.type = $1)
                    AND ($2::text IS NULL OR o.lender = $2)
                    AND ($3::text IS NULL OR o.lane = $3)
                    AND ($4::timestamptz IS NULL OR o.accepted_at >= $4)
                    AND ($5::timestamptz IS NULL OR o.accepted_at < $5)
                    AND ($6::bool IS NULL OR $6 = EXISTS (SELECT FROM attempt a WHERE a.operation_id = o.id AND a.error IS DISTINCT FROM 'not_sent'))
               ) AS "exists!""#,
            filter.operation_type,
            filter.lender,
            filter.lane,
            filter.accepted_after,
            filter.accepted_before,
            filter.sent,
        )
        .fetch_one(&self.pool)
        .or_fail_to("look for what is on hold")
        .await
    }
}
