//! Whether Fineract takes commands.

use chrono::{DateTime, Utc};

/// What this gateway last saw of Fineract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FineractHealth {
    /// Nothing has been sent yet.
    Unknown,
    /// It answers.
    Open,
    /// Nothing is sent: operations wait until a probe succeeds.
    Blocked {
        /// Why, as a stable code.
        reason: &'static str,
        /// Since when.
        since: DateTime<Utc>,
    },
}
