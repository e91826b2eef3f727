//! Compares events with what happened to operations and batches.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use fineract_gateway::domain::OperationId;
use uuid::Uuid;

use super::Oversight;

/// How long the sequencer may take to number everything.
const DEADLINE: Duration = Duration::from_mins(1);
/// The interval between two looks.
const POLL: Duration = Duration::from_millis(50);

impl Oversight {
    /// Those of these operations, and of the batches with them, whose events do not fit their rows. Nothing may change
    /// any more.
    ///
    /// - An operation that has ended has one event of its end, which is its last event; any other has none.
    /// - An operation was resumed as often as it was parked, or once less often if it is parked or ended so.
    /// - Operations of one lane that succeeded have the numbers of their ends in the order of the lane.
    /// - A batch whose rows have all ended has an event after all events of its operations.
    pub(in crate::prove) async fn wrong_events(
        &self,
        ids: &[OperationId],
    ) -> anyhow::Result<Vec<String>> {
        self.wait_for_numbers().await?;
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        sqlx::query_scalar!(
            r#"WITH told AS (
                   SELECT o.id, o.type, o.state, o.lane, o.position, o.ended_at IS NOT NULL AS has_ended,
                          count(*) FILTER (WHERE e.type IN ('operation.succeeded', 'operation.failed')) AS ends,
                          count(*) FILTER (WHERE e.type = 'operation.' || o.state) AS fitting,
                          count(*) FILTER (WHERE e.type = 'operation.parked') AS parked,
                          count(*) FILTER (WHERE e.type = 'operation.resumed') AS resumed,
                          max(e.number) AS last,
                          max(e.number) FILTER (WHERE e.type IN ('operation.succeeded', 'operation.failed')) AS ended
                     FROM operation o
                     LEFT JOIN event e ON e.operation_id = o.id
                    WHERE o.id = ANY ($1)
                    GROUP BY o.id
               ), ended AS (
                   SELECT id, type, ended,
                          max(ended) OVER (PARTITION BY lane ORDER BY position
                                           ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
                     FROM told
                    WHERE state = 'succeeded'
               ), batches AS (
                   SELECT r.batch_id AS id, bool_and(o.ended_at IS NOT NULL) AS has_ended
                     FROM batch_row r
                     JOIN operation o ON o.id = r.operation_id
                    WHERE r.batch_id IN (SELECT batch_id FROM batch_row WHERE operation_id = ANY ($1))
                    GROUP BY r.batch_id
               )
               SELECT type || ' ' || id AS "what!"
                 FROM told
                WHERE ends <> has_ended::int OR (has_ended AND (fitting <> 1 OR ended <> last))
                   OR parked - resumed NOT BETWEEN (state = 'parked')::int AND (state = 'parked' OR has_ended)::int
                UNION ALL
               SELECT 'the order of the lane of ' || type || ' ' || id FROM ended WHERE ended < before
                UNION ALL
               SELECT 'batch ' || b.id
                 FROM batches b
                WHERE b.has_ended
                  AND (SELECT max(number) FROM event WHERE batch_id = b.id AND operation_id IS NULL)
                      IS DISTINCT FROM (SELECT max(number) FROM event WHERE batch_id = b.id)"#,
            &ids
        )
        .fetch_all(&self.pool)
        .await
        .context("compare events with operations")
    }

    /// Waits until every event has a number.
    async fn wait_for_numbers(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            let left = sqlx::query_scalar!(r#"SELECT count(*) AS "left!" FROM new_event"#)
                .fetch_one(&self.pool)
                .await
                .context("look for new events")?;
            if left == 0 {
                return Ok(());
            }
            ensure!(started.elapsed() < DEADLINE, "{left} events have no number");
            tokio::time::sleep(POLL).await;
        }
    }
}
