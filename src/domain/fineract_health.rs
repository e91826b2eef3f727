//! Whether Fineract accepts commands.

use chrono::{DateTime, Utc};

/// The state of Fineract, as this gateway last observed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FineractHealth {
    /// The gateway has not sent anything yet.
    Unknown,
    /// Fineract answers, and the gateway sends commands.
    Open,
    /// The circuit breaker is open: the gateway sends only trial operations, and all others wait.
    Blocked {
        /// The stable code of the reason.
        reason: &'static str,
        /// The time since which nothing is sent.
        since: DateTime<Utc>,
    },
}
