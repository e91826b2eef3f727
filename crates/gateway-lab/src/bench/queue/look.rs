//! Reads the queue: ids, counts, sizes, and whether operations ran in order.

use anyhow::Context as _;
use fineract_gateway::domain::{OperationId, OperationType, TrackingId};

use super::Queue;

impl Queue {
    /// Up to `count` random operations. They are drawn from `percent` per cent of the table's pages.
    pub(in crate::bench) async fn draw(
        &self,
        percent: f32,
        count: i64,
    ) -> anyhow::Result<Vec<TrackingId>> {
        sqlx::query!(
            "SELECT id, type
               FROM operation TABLESAMPLE SYSTEM ($1)
              ORDER BY random()
              LIMIT $2",
            percent,
            count
        )
        .fetch_all(&self.pool)
        .await
        .context("draw operations")?
        .into_iter()
        .map(|row| {
            Ok(TrackingId {
                operation_type: OperationType::from_name(&row.r#type).context("a type")?,
                id: OperationId(row.id),
            })
        })
        .collect()
    }

    /// The number of operations that have not ended.
    pub(in crate::bench) async fn unended(&self) -> anyhow::Result<i64> {
        sqlx::query_scalar!(
            "SELECT COALESCE(sum(writers), 0)::bigint AS \"count!\" FROM lane WHERE members > 0"
        )
        .fetch_one(&self.pool)
        .await
        .context("count operations that have not ended")
    }

    /// The number of operations that were sent before an earlier operation in one of their lanes had ended.
    pub(in crate::bench) async fn out_of_order(&self) -> anyhow::Result<i64> {
        sqlx::query_scalar!(
            "WITH sent AS (
                 SELECT o.lane, o.position, o.read_lane, o.read_position, o.ended_at, min(a.sent_at) AS sent_at
                   FROM operation o
                   JOIN attempt a ON a.operation_id = o.id
                  GROUP BY o.id
             ), place AS (
                 SELECT lane, position, true AS writes, sent_at, ended_at FROM sent
                  UNION ALL
                 SELECT read_lane, read_position, false, sent_at, ended_at FROM sent WHERE read_lane IS NOT NULL
             )
             SELECT count(*) AS \"count!\"
               FROM (SELECT sent_at, writes, max(ended_at) OVER before AS ended_before,
                            max(ended_at) FILTER (WHERE writes) OVER before AS written_before
                       FROM place
                     WINDOW before AS (PARTITION BY lane ORDER BY position
                                       ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) stood
              WHERE sent_at < CASE WHEN writes THEN ended_before ELSE written_before END"
        )
        .fetch_one(&self.pool)
        .await
        .context("look for operations out of order")
    }

    /// The average size of all rows of an accepted operation, in bytes.
    pub(in crate::bench) async fn accepted_bytes(&self) -> anyhow::Result<i64> {
        sqlx::query_scalar!(
            "SELECT COALESCE(avg(pg_column_size(o.*) + pg_column_size(p.*) + pg_column_size(l.*) + pg_column_size(c.*)), 0)::bigint
                    AS \"bytes!\"
               FROM (SELECT * FROM operation LIMIT 1000) o
               JOIN payload p ON p.operation_id = o.id
               JOIN lane l ON l.key = o.lane
               JOIN lane_entry c ON c.operation_id = o.id AND c.writes"
        )
        .fetch_one(&self.pool)
        .await
        .context("measure rows")
    }

    /// Two sizes in bytes: of the whole database, and of the lane entries together with the indexes of due operations.
    /// The second size must stay small even if many operations have ended.
    pub(in crate::bench) async fn sizes(&self) -> anyhow::Result<(i64, i64)> {
        let sizes = sqlx::query!(
            "SELECT pg_database_size(current_database()) AS \"all!\",
                    pg_total_relation_size('lane_entry') + pg_relation_size('operation_due')
                    + pg_relation_size('operation_due_of_lender') AS \"hot!\""
        )
        .fetch_one(&self.pool)
        .await
        .context("measure tables")?;
        Ok((sizes.all, sizes.hot))
    }
}
