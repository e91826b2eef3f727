//! Numbers committed events. Every gateway runs this task, and one of them at a time numbers.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::{
    store::{
        Store, StoreError,
        patience::{RETRY_PAUSE, WithTimeout},
    },
    telemetry::chain,
};

/// How many events one pass numbers at most.
const MOST: i32 = 5_000;

/// The pause between two passes. What happens meanwhile is numbered together.
const PAUSE: Duration = Duration::from_millis(50);

/// After this time without a notification, the task looks for events: of gateways that have died, and those that
/// operators have caused.
const POLL: Duration = Duration::from_secs(1);

/// What a pass did.
enum Pass {
    /// Numbered this many events, up to the last number.
    Numbered { count: i32, last: i64 },
    /// There was nothing to number.
    Idle,
    /// Another gateway was at it. It may not have seen the newest events.
    Busy,
}

impl Store {
    /// Numbers events for ever.
    pub(super) async fn number_events(&self) {
        loop {
            let passed = self.number_some().await;
            let pause = match passed {
                Ok(Pass::Numbered { count, last }) => {
                    self.notifier.events.notify_numbered(last);
                    if count >= MOST {
                        continue;
                    }
                    PAUSE
                }
                Ok(Pass::Busy) => {
                    sleep(PAUSE).await;
                    continue;
                }
                Ok(Pass::Idle) => PAUSE,
                Err(error) => {
                    tracing::debug!(error = %chain(&error), "events could not be numbered; trying again");
                    RETRY_PAUSE
                }
            };
            sleep(pause).await;
            // If nobody notifies, the poll finds the events.
            drop(timeout(POLL, self.notifier.events.new_events()).await);
        }
    }

    async fn number_some(&self) -> Result<Pass, StoreError> {
        let pass = sqlx::query!("SELECT numbered, last_number FROM number_events($1)", MOST)
            .fetch_one(&self.pool)
            .or_fail_to("number events")
            .await?;
        Ok(match (pass.numbered, pass.last_number) {
            (Some(count), Some(last)) => Pass::Numbered { count, last },
            (Some(_), None) => Pass::Idle,
            (None, _) => Pass::Busy,
        })
    }
}
