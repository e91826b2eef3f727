//! Trying again after the connection to the gateway was lost.

use std::time::{Duration, Instant};

use super::connection::Refusal;
use crate::telemetry;

/// The pause before another try.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// How often a command tries again before it gives up.
const MOST_FAILURES: u32 = 60;

/// Decides whether a command that repeats its requests tries again after an error.
#[derive(Debug, Default)]
pub(super) struct Patience {
    failures: u32,
    has_connected: bool,
}

impl Patience {
    /// The gateway has answered.
    pub(super) fn answered(&mut self) {
        *self = Self {
            failures: 0,
            has_connected: true,
        };
    }

    /// Pauses before another try, and prints the first error of a row. Returns the error if another try is in vain: the
    /// gateway has refused the request, nobody has ever answered at this address, or the gateway is away for too long.
    pub(super) async fn pause_after(&mut self, error: anyhow::Error) -> anyhow::Result<()> {
        let is_final = match error.downcast_ref::<Refusal>() {
            Some(refusal) => refusal.is_final(),
            None => !self.has_connected,
        };
        if is_final || self.failures >= MOST_FAILURES {
            return Err(error);
        }
        if self.failures == 0 {
            telemetry::print_line(&format!("fineract-gateway: {error:#}; trying again"));
        }
        self.failures += 1;
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}

/// Pauses if the gateway has answered sooner than it was asked to. A gateway that shuts down does so.
pub(super) async fn pace(asked_at: Instant) {
    tokio::time::sleep(PAUSE.saturating_sub(asked_at.elapsed())).await;
}
