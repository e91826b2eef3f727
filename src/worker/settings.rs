//! The worker's settings.

use std::time::Duration;

use crate::domain::decision::Patience;

/// The worker's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For how long an operation is claimed; renewed while it is under way.
    pub lease: Duration,
    /// The most calls at once.
    pub max_in_flight: usize,
    /// The most `LOAN_CREATE` at once for one lender.
    pub loan_create_per_lender: i64,
    /// How long things may take before something else is tried.
    pub patience: Patience,
    /// How long Fineract keeps the keys of commands that it has processed (`FINERACT_KEYS_KEPT_DAYS`).
    pub keys_kept_for: Duration,
    /// How long an operation that cannot be decided is tried before it is parked.
    pub park_after: Duration,
}

impl Settings {
    /// How long what somebody else has to see to is left alone: never longer than a 425 is believed, so
    /// that one setting says how quick a deployment is.
    pub(super) fn left_alone(&self, at_most: Duration) -> Duration {
        at_most.min(self.patience.stuck_after)
    }
}
