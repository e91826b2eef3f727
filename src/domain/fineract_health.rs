//! Whether Fineract accepts commands.

use chrono::{DateTime, Utc};

/// The state of Fineract, as this gateway last observed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FineractHealth {
    /// Not known, because the gateway has not sent anything since it started, or since a forced stop ended.
    Unknown,
    /// Fineract answers, and the gateway sends commands.
    Open,
    /// The circuit breaker is open: the gateway sends at most trial operations, and all other operations wait.
    Blocked {
        /// The stable code of the reason.
        reason: &'static str,
        /// The time when the circuit breaker opened.
        since: DateTime<Utc>,
    },
}
