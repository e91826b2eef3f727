//! What happened in each minute, for charts.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::store::{Store, StoreError, patience::WithTimeout};

/// What happened in one minute, in all gateways together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Minute {
    /// When the minute began.
    pub at: DateTime<Utc>,
    /// Operations accepted.
    pub accepted: i32,
    /// Operations that succeeded.
    pub succeeded: i32,
    /// Operations that failed.
    pub failed: i32,
    /// Operations that were parked.
    pub parked: i32,
    /// Milliseconds from acceptance to end that half of the operations that ended did not exceed; `None` if none ended.
    pub p50_ms: Option<i64>,
    /// As `p50_ms`, for 99 of 100 operations.
    pub p99_ms: Option<i64>,
}

impl Store {
    /// The minutes that began at this time or later and are over, the oldest first. They are kept for 8 days. A minute
    /// in which no gateway ran may be missing.
    pub async fn minutes(&self, since: DateTime<Utc>) -> Result<Vec<Minute>, StoreError> {
        sqlx::query_as!(
            Minute,
            "SELECT at, accepted, succeeded, failed, parked, p50_ms, p99_ms
               FROM minute
              WHERE at >= $1
              ORDER BY at",
            since
        )
        .fetch_all(&self.pool)
        .or_fail_to("read minutes")
        .await
    }

    /// Counts the minutes that are over since the last count, at most an hour. If other gateways count at the same
    /// time, the first count stays.
    pub(super) async fn count_minutes(&self) -> Result<(), StoreError> {
        // The ids of operations are UUIDs of version 7, and the numbers of events are times. So both are counted by
        // ranges of primary keys. The first 48 bits of an id are the milliseconds since 1970.
        sqlx::query!(
            "WITH over AS (
                 SELECT m.at,
                        (EXTRACT(EPOCH FROM m.at) * 1000000)::bigint AS first,
                        (EXTRACT(EPOCH FROM m.at + interval '1 minute') * 1000000)::bigint AS beyond
                   FROM generate_series(
                            greatest((SELECT max(at) FROM minute) + interval '1 minute',
                                     date_trunc('minute', now()) - interval '1 hour'),
                            -- The sequencer may be a little late.
                            date_trunc('minute', now() - interval '2 seconds') - interval '1 minute',
                            interval '1 minute') AS m (at)
             ), counted AS (
                 INSERT INTO minute (at, accepted, succeeded, failed, parked, p50_ms, p99_ms)
                 SELECT o.at, a.accepted, e.succeeded, e.failed, e.parked, e.p50_ms, e.p99_ms
                   FROM over o
                  CROSS JOIN LATERAL (
                        SELECT count(*) AS accepted FROM operation
                         WHERE id >= rpad(lpad(to_hex(o.first / 1000), 12, '0'), 32, '0')::uuid
                           AND id < rpad(lpad(to_hex(o.beyond / 1000), 12, '0'), 32, '0')::uuid) a
                  CROSS JOIN LATERAL (
                        SELECT count(*) FILTER (WHERE e.type = 'operation.succeeded') AS succeeded,
                               count(*) FILTER (WHERE e.type = 'operation.failed') AS failed,
                               count(*) FILTER (WHERE e.type = 'operation.parked') AS parked,
                               percentile_disc(0.5) WITHIN GROUP (ORDER BY t.ms) AS p50_ms,
                               percentile_disc(0.99) WITHIN GROUP (ORDER BY t.ms) AS p99_ms
                          FROM event e
                          LEFT JOIN LATERAL (
                               SELECT (EXTRACT(EPOCH FROM p.ended_at - p.accepted_at) * 1000)::bigint AS ms
                                 FROM operation p
                                WHERE p.id = e.operation_id
                                  AND e.type IN ('operation.succeeded', 'operation.failed')) t ON true
                         WHERE e.number >= o.first AND e.number < o.beyond) e
                     ON CONFLICT (at) DO NOTHING
              RETURNING at
             )
             -- Operations of a batch get their ids while the batch is uploaded, and are committed after that.
             UPDATE minute m
                SET accepted = a.accepted
               FROM (SELECT at - interval '15 minutes' AS at,
                            (EXTRACT(EPOCH FROM at - interval '15 minutes') * 1000)::bigint AS first,
                            (EXTRACT(EPOCH FROM at - interval '14 minutes') * 1000)::bigint AS beyond
                       FROM counted) c
              CROSS JOIN LATERAL (
                    SELECT count(*) AS accepted FROM operation
                     WHERE id >= rpad(lpad(to_hex(c.first), 12, '0'), 32, '0')::uuid
                       AND id < rpad(lpad(to_hex(c.beyond), 12, '0'), 32, '0')::uuid) a
              WHERE m.at = c.at AND m.accepted <> a.accepted"
        )
        .execute(&self.pool)
        .or_fail_to("count minutes")
        .await?;
        sqlx::query!("DELETE FROM minute WHERE at < now() - interval '8 days'")
            .execute(&self.pool)
            .or_fail_to("delete old minutes")
            .await
            .map(drop)
    }
}
