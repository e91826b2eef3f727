//! What the queue costs, and whether it kept its order.

use serde_json::Value;
use sqlx::{AssertSqlSafe, Execute, Row};

use super::{Rehearsal, StoreError, failed_to};
use crate::{
    domain::{OperationId, TrackingId},
    store::{
        claim::{ClaimLimits, statement},
        connect, names,
    },
};

/// What a statement cost, by its `EXPLAIN (ANALYZE, BUFFERS)`.
#[derive(Clone, Debug)]
pub struct Cost {
    /// The pages that were looked at.
    pub buffers: u64,
    /// How long it took, in milliseconds, as Postgres writes it.
    pub millis: String,
    /// How many rows it brought.
    pub rows: u64,
}

impl Rehearsal {
    /// Claims, as a worker does; how many. The next one goes on from there.
    pub async fn claim(&self, limits: &ClaimLimits) -> Result<usize, StoreError> {
        let look = self.due.look(limits);
        let rows = statement(limits, &look)
            .fetch_all(&self.pool)
            .await
            .map_err(failed_to("claim operations"))?;
        self.due.note(limits, look, &rows);
        Ok(rows.len())
    }

    /// What the claim costs as the queue is, for who has not claimed for a while, or has just done so; it is rolled back.
    pub async fn explain_claim(&self, limits: &ClaimLimits) -> Result<Cost, StoreError> {
        const ACTION: &str = "explain the claim";
        let mut claim = statement(limits, &self.due.look(limits));
        let arguments = claim
            .take_arguments()
            .map_err(|error| failed_to(ACTION)(sqlx::Error::Encode(error)))?
            .unwrap_or_default();
        let sql = format!(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {}",
            claim.sql().as_str()
        );
        let mut transaction = connect::begin(&self.pool)
            .await
            .map_err(failed_to(ACTION))?;
        let row = sqlx::query_with(AssertSqlSafe(sql), arguments)
            .fetch_one(&mut *transaction)
            .await
            .map_err(failed_to(ACTION))?;
        transaction.rollback().await.map_err(failed_to(ACTION))?;
        let explained: Value = row.try_get(0).map_err(failed_to(ACTION))?;
        let number = |pointer: &str| {
            let value = explained.pointer(pointer).and_then(Value::as_u64);
            value.ok_or(StoreError::Unknown { what: "plan" })
        };
        let time = explained
            .pointer("/0/Execution Time")
            .ok_or(StoreError::Unknown { what: "plan" })?;
        Ok(Cost {
            buffers: number("/0/Plan/Shared Hit Blocks")? + number("/0/Plan/Shared Read Blocks")?,
            millis: time.to_string(),
            rows: number("/0/Plan/Actual Rows")?,
        })
    }

    /// So many ids of operations, drawn from a percentage of the table's pages.
    pub async fn draw(&self, percent: f32, count: i64) -> Result<Vec<TrackingId>, StoreError> {
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
        .map_err(failed_to("draw operations"))?
        .into_iter()
        .map(|row| {
            Ok(TrackingId {
                operation_type: names::operation_type(&row.r#type)?,
                id: OperationId(row.id),
            })
        })
        .collect()
    }

    /// How many operations have not ended.
    pub async fn unended(&self) -> Result<i64, StoreError> {
        sqlx::query_scalar!(
            "SELECT COALESCE(sum(writers), 0)::bigint AS \"count!\" FROM lane WHERE members > 0"
        )
        .fetch_one(&self.pool)
        .await
        .map_err(failed_to("count what has not ended"))
    }

    /// How many operations were sent before one ended that stands before them in one of their lanes.
    pub async fn out_of_order(&self) -> Result<i64, StoreError> {
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
        .map_err(failed_to("look for what was out of order"))
    }

    /// How many bytes an accepted operation's rows have together, on average.
    pub async fn accepted_bytes(&self) -> Result<i64, StoreError> {
        sqlx::query_scalar!(
            "SELECT COALESCE(avg(pg_column_size(o.*) + pg_column_size(p.*) + pg_column_size(l.*) + pg_column_size(c.*)), 0)::bigint
                    AS \"bytes!\"
               FROM (SELECT * FROM operation LIMIT 1000) o
               JOIN payload p ON p.operation_id = o.id
               JOIN lane l ON l.key = o.lane
               JOIN place c ON c.operation_id = o.id AND c.writes"
        )
        .fetch_one(&self.pool)
        .await
        .map_err(failed_to("measure rows"))
    }

    /// The size of all tables with their indexes, in bytes, and of what has to stay small however much has
    /// ended: places and the indexes of what is due.
    pub async fn sizes(&self) -> Result<(i64, i64), StoreError> {
        let sizes = sqlx::query!(
            "SELECT pg_database_size(current_database()) AS \"all!\",
                    pg_total_relation_size('place') + pg_relation_size('operation_due')
                    + pg_relation_size('operation_due_of_lender') AS \"hot!\""
        )
        .fetch_one(&self.pool)
        .await
        .map_err(failed_to("measure tables"))?;
        Ok((sizes.all, sizes.hot))
    }
}
