//! What webhooks must have told.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use fineract_gateway::domain::OperationId;
use uuid::Uuid;

use super::Oversight;
use crate::prove::receiver::Event;

/// How long it may take until everything is delivered, without the pauses between tries.
const DEADLINE: Duration = Duration::from_mins(1);
/// The interval between two looks.
const POLL: Duration = Duration::from_millis(100);

impl Oversight {
    /// Makes failed deliveries due, and lets other gateways take over what dead ones have left, until everything is
    /// delivered. Returns how many deliveries and endpoints are left.
    pub(in crate::prove) async fn until_told(&self) -> anyhow::Result<i64> {
        let started = Instant::now();
        loop {
            let left = sqlx::query_scalar!(
                r#"WITH due AS (
                       UPDATE webhook_delivery SET due_at = now() WHERE due_at > now()
                   ), free AS (
                       UPDATE webhook_endpoint SET paused_until = NULL, failures = 0 WHERE paused_until IS NOT NULL
                   )
                   SELECT (SELECT count(*) FROM webhook_delivery WHERE due_at IS NOT NULL)
                        + (SELECT count(*) FROM webhook_endpoint w
                            WHERE w.enabled
                              AND EXISTS (SELECT FROM event e WHERE e.owner = w.owner AND e.number > w.position))
                          AS "left!""#
            )
            .fetch_one(&self.pool)
            .await
            .context("look for deliveries")?;
            if left == 0 || started.elapsed() > DEADLINE {
                return Ok(left);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Ends the leases of endpoints, as if their gateways had been dead for half a minute.
    pub(in crate::prove) async fn end_webhook_leases(&self) -> anyhow::Result<()> {
        sqlx::query!("UPDATE webhook_endpoint SET run_until = now()")
            .execute(&self.pool)
            .await
            .map(drop)
            .context("end the leases of endpoints")
    }

    /// The events with these numbers, and those of these operations and of the batches with them, in their order.
    pub(in crate::prove) async fn events(
        &self,
        numbers: &[i64],
        ids: &[OperationId],
    ) -> anyhow::Result<Vec<Event>> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        sqlx::query_as!(
            Event,
            r#"SELECT e.number, e.type AS what, COALESCE(o.type || '|' || o.id, b.reference_id) AS "subject!",
                      o.lane AS "lane?"
                 FROM event e
                 LEFT JOIN operation o ON o.id = e.operation_id
                 LEFT JOIN batch b ON b.id = e.batch_id
                WHERE e.number = ANY ($1) OR e.operation_id = ANY ($2)
                   OR e.operation_id IS NULL
                      AND e.batch_id IN (SELECT batch_id FROM batch_row WHERE operation_id = ANY ($2))
                ORDER BY e.number"#,
            numbers,
            &ids
        )
        .fetch_all(&self.pool)
        .await
        .context("read events")
    }
}
