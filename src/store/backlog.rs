//! How much is waiting: counted now and then, asked for at every door.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{Store, StoreError, failed_to};
use crate::telemetry::chain;

/// How old the count may be.
const EVERY: Duration = Duration::from_secs(2);

/// The count, shared by the parts of the store.
#[derive(Debug, Default)]
pub(super) struct Backlog(AtomicU64);

impl Store {
    /// Operations that have not ended, as counted a moment ago.
    pub fn backlog(&self) -> u64 {
        self.backlog.0.load(Ordering::Relaxed)
    }

    /// Counts from time to time, for ever.
    pub async fn watch_backlog(self) {
        loop {
            match self.count_backlog().await {
                Ok(count) => self.backlog.0.store(count, Ordering::Relaxed),
                Err(error) => {
                    tracing::debug!(error = %chain(&error), "the backlog was not counted");
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn count_backlog(&self) -> Result<u64, StoreError> {
        // Every operation that has not ended writes exactly one lane.
        let count = sqlx::query_scalar!("SELECT count(*) AS \"count!\" FROM place WHERE writes")
            .fetch_one(&self.pool)
            .await
            .map_err(failed_to("count what is waiting"))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }
}
