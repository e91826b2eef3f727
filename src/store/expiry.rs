//! Ends expired operations for which nothing was sent, regardless of their positions in their lanes. The transactions
//! API reports an operation as expired only after it has ended as expired.

use std::{collections::BTreeSet, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    Store, StoreError,
    cancel::{Reason, Unsent, end_unsent, find_locked, without},
    connect, lanes,
    patience::WithTimeout,
};
use crate::telemetry::chain;

const ACTION: &str = "end expired operations";
/// The largest number of operations that one transaction ends.
const CHUNK: i64 = 500;
/// How often the gateway looks for expired operations.
const EVERY: Duration = Duration::from_secs(1);

impl Store {
    /// Ends expired operations until `stop` is cancelled.
    pub async fn run_expiry(self, stop: CancellationToken) {
        let running = async {
            loop {
                match self.end_expired().await {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(error) => {
                        tracing::warn!(error = %chain(&error), "expired operations could not be ended; trying again");
                    }
                }
                tokio::time::sleep(EVERY).await;
            }
        };
        stop.run_until_cancelled(running).await;
    }

    /// Ends one chunk of the operations whose `expires_at` has passed and whose attempts, as far as the database shows,
    /// never reached Fineract. Returns whether there may be more such operations. A worker ends the other expired
    /// operations, after it has read Fineract. Locked operations are left for the next call.
    pub async fn end_expired(&self) -> Result<bool, StoreError> {
        match self.end_chunk(self.read_expired().await?).await {
            Err(error) if error.is_lock_timeout() => {
                let expired = self.read_expired().await?;
                let locked = find_locked(&self.pool, &expired).await?;
                self.end_chunk(without(expired, &locked)).await
            }
            result => result,
        }
    }

    async fn end_chunk(&self, expired: Vec<Unsent>) -> Result<bool, StoreError> {
        let is_full = i64::try_from(expired.len()).is_ok_and(|count| count >= CHUNK);
        if expired.is_empty() {
            return Ok(false);
        }
        let lanes = expired
            .iter()
            .flat_map(|unsent| unsent.lane_entries.lanes());
        let lanes: BTreeSet<String> = lanes.collect();
        let mut transaction = connect::begin_batch(&self.pool).or_fail_to(ACTION).await?;
        lanes::lock(&mut transaction, &Vec::from_iter(lanes))
            .or_fail_to(ACTION)
            .await?;
        let ending = end_unsent(
            &mut transaction,
            expired,
            Reason::Expired,
            self.fails_dependents,
        );
        let (ended, effects) = ending.or_fail_to(ACTION).await?;
        transaction.commit().or_fail_to(ACTION).await?;
        self.notify_unsent(&ended, effects);
        Ok(is_full && !ended.is_empty())
    }

    async fn read_expired(&self) -> Result<Vec<Unsent>, StoreError> {
        let rows = sqlx::query!(
            "SELECT o.id, o.type, o.lane, o.position, o.read_lane, o.read_position
               FROM operation o
              WHERE o.expires_at <= now() AND o.ended_at IS NULL AND NOT o.read_first
                AND NOT EXISTS (SELECT FROM attempt a
                                 WHERE a.operation_id = o.id
                                   AND COALESCE(a.error NOT IN ('not_sent', 'not_connected'), true))
              ORDER BY o.expires_at
              LIMIT $1",
            CHUNK
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        let expired = rows.into_iter().map(|row| {
            let read = row.read_lane.zip(row.read_position);
            Unsent::of(row.id, &row.r#type, (row.lane, row.position), read)
        });
        Ok(expired.collect())
    }
}
