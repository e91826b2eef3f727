//! Counts the backlog from time to time. Each acceptance then checks the last count and needs no query.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use super::{Store, StoreError, patience::WithTimeout};
use crate::telemetry::chain;

/// The shortest pause between two counts.
const EVERY: Duration = Duration::from_secs(2);
/// The pause after a count is this many times as long as the count. A larger backlog takes longer to count, and the
/// longer pause then limits the load on the database.
const PAUSE: u32 = 200;
/// The longest pause between two counts.
const AT_MOST: Duration = Duration::from_secs(30);

impl Store {
    /// The number of operations that have not ended, as of the last count.
    pub fn backlog(&self) -> u64 {
        self.backlog.load(Ordering::Relaxed)
    }

    /// Repeatedly counts the backlog and sets the gauges. Never returns.
    pub async fn watch_backlog(self) {
        loop {
            let started = Instant::now();
            let pause = match self.count_backlog().await {
                Ok(Count {
                    waiting,
                    parked,
                    on_hold,
                    hold_stands,
                    oldest_transaction,
                }) => {
                    metrics::gauge!("gateway_oldest_transaction_seconds").set(oldest_transaction);
                    self.backlog.store(waiting, Ordering::Relaxed);
                    metrics::gauge!("gateway_backlog").set(gauge(waiting));
                    metrics::gauge!("gateway_parked").set(gauge(parked));
                    metrics::gauge!("gateway_on_hold").set(gauge(on_hold));
                    metrics::gauge!("gateway_hold_all").set(f64::from(hold_stands));
                    (PAUSE * started.elapsed()).clamp(EVERY, AT_MOST)
                }
                Err(error) => {
                    tracing::debug!(error = %chain(&error), "the backlog could not be counted; trying again");
                    EVERY
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn count_backlog(&self) -> Result<Count, StoreError> {
        // Every operation that has not ended writes exactly one lane.
        let count = sqlx::query!(
            "SELECT (SELECT count(*) FROM lane_entry WHERE writes) AS \"waiting!\",
                    (SELECT count(*) FROM operation WHERE state = 'parked') AS \"parked!\",
                    (SELECT count(*) FROM operation WHERE on_hold AND ended_at IS NULL) AS \"on_hold!\",
                    EXISTS (SELECT FROM hold_all WHERE ended_at IS NULL) AS \"hold_stands!\",
                    -- The oldest transaction that may keep dead rows from being removed.
                    (SELECT COALESCE(EXTRACT(EPOCH FROM now() - min(began)), 0)::float8
                       FROM (SELECT xact_start AS began FROM pg_stat_activity
                              WHERE datname = current_database()
                                AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)
                              UNION ALL
                             SELECT prepared FROM pg_prepared_xacts WHERE database = current_database()) t
                    ) AS \"oldest_transaction!\""
        )
        .fetch_one(&self.pool)
        .or_fail_to("count the backlog")
        .await?;
        Ok(Count {
            waiting: u64::try_from(count.waiting).unwrap_or_default(),
            parked: u64::try_from(count.parked).unwrap_or_default(),
            on_hold: u64::try_from(count.on_hold).unwrap_or_default(),
            hold_stands: count.hold_stands,
            oldest_transaction: count.oldest_transaction,
        })
    }
}

/// The result of one count.
struct Count {
    waiting: u64,
    parked: u64,
    on_hold: u64,
    hold_stands: bool,
    /// The age in seconds of the oldest open transaction in this database. An old transaction keeps Postgres from
    /// removing dead rows.
    oldest_transaction: f64,
}

fn gauge(count: u64) -> f64 {
    u32::try_from(count).unwrap_or(u32::MAX).into()
}
