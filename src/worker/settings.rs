//! The settings of the worker.

use std::time::Duration;

use crate::domain::decision::Patience;

/// The settings of the worker.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The duration of a lease. Leases are renewed while their operations are in progress.
    pub lease: Duration,
    /// The highest number of simultaneous calls to Fineract.
    pub max_in_flight: usize,
    /// The highest number of simultaneous `LOAN_CREATE` operations for one lender.
    pub loan_create_per_lender: i64,
    /// How long the gateway repeats a step before it does something else.
    pub patience: Patience,
    /// How long Fineract keeps the keys of processed commands (`FINERACT_KEYS_KEPT_DAYS`).
    pub keys_kept_for: Duration,
    /// How long an operation is retried before it is parked. The time of an outage does not count.
    pub park_after: Duration,
}

impl Settings {
    /// How often the gateway looks whether somebody else has acted, for example a checker: every `at_most`, or every
    /// `stuck_after` if that is shorter. A shorter `stuck_after` therefore also shortens this interval.
    pub(super) fn recheck_interval(&self, at_most: Duration) -> Duration {
        at_most.min(self.patience.stuck_after)
    }
}
