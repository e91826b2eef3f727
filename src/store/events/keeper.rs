//! What is done about events now and then: counting them for charts and metrics, and deleting the old ones.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    store::{Store, StoreError, patience::WithTimeout},
    telemetry::chain,
};

/// The pause between two looks.
const EVERY: Duration = Duration::from_secs(5);

/// How many rows one statement deletes. The sequencer waits for it.
const CHUNK: i64 = 1_000;

/// The pause between two statements that delete.
const PAUSE: Duration = Duration::from_millis(100);

impl Store {
    /// Counts and deletes for ever.
    pub(super) async fn keep_events(&self, keep: Duration) {
        loop {
            let kept = async {
                self.report_unnumbered().await?;
                self.count_minutes().await?;
                while self.delete_some(keep).await? == CHUNK {
                    sleep(PAUSE).await;
                }
                while self.delete_old_deliveries(keep, CHUNK).await? == CHUNK {
                    sleep(PAUSE).await;
                }
                while self.delete_removed_webhook(CHUNK).await? {
                    sleep(PAUSE).await;
                }
                Ok::<_, StoreError>(())
            };
            if let Err(error) = kept.await {
                tracing::debug!(error = %chain(&error), "events could not be counted or deleted; trying again");
            }
            sleep(EVERY).await;
        }
    }

    /// Sets the gauges of events that have no number yet.
    async fn report_unnumbered(&self) -> Result<(), StoreError> {
        let new = sqlx::query!(
            r#"SELECT count(*) AS "count!", COALESCE(EXTRACT(EPOCH FROM now() - min(at)), 0)::float8 AS "oldest!"
                 FROM new_event
                WHERE id > (SELECT cleared FROM event_sequence)"#
        )
        .fetch_one(&self.pool)
        .or_fail_to("count new events")
        .await?;
        let count = u32::try_from(new.count).unwrap_or(u32::MAX);
        metrics::gauge!("gateway_events_unnumbered").set(count);
        metrics::gauge!("gateway_oldest_unnumbered_event_seconds").set(new.oldest);
        Ok(())
    }

    /// Deletes some of the events that are older than this. Returns how many.
    async fn delete_some(&self, keep: Duration) -> Result<i64, StoreError> {
        let deleted = sqlx::query_scalar!(
            r#"WITH gone AS (
                   DELETE FROM event
                    WHERE number IN (SELECT number FROM event
                                      -- A number is a time in microseconds.
                                      WHERE number < (EXTRACT(EPOCH FROM now()) * 1000000)::bigint - $1
                                      ORDER BY number
                                      LIMIT $2)
                RETURNING number
               )
               UPDATE event_sequence s
                  SET deleted = greatest(s.deleted, g.last)
                 FROM (SELECT count(*) AS count, max(number) AS last FROM gone) g
                WHERE g.count > 0
            RETURNING g.count AS "count!""#,
            i64::try_from(keep.as_micros()).unwrap_or(i64::MAX),
            CHUNK
        )
        .fetch_optional(&self.pool)
        .or_fail_to("delete old events")
        .await?;
        Ok(deleted.unwrap_or_default())
    }
}
