//! The settings of the worker.

use std::time::Duration;

use super::reader::Reader;

/// The largest value of a setting that is a number of seconds: ten years.
const LONGEST_SECONDS: u64 = 10 * 365 * 86_400;

/// The worker.
#[derive(Debug, Clone)]
pub struct Worker {
    /// `WORKER_LEASE_SECONDS`: how long a claimed operation belongs to this process (50).
    pub lease: Duration,
    /// `SHUTDOWN_GRACE_SECONDS`: how long operations in flight may take to end after SIGTERM (30).
    pub shutdown_grace: Duration,
    /// `FINERACT_STUCK_AFTER_SECONDS`: how long Fineract may answer 425 before the gateway reads Fineract (300).
    pub stuck_after: Duration,
    /// `FINERACT_KEYS_KEPT_DAYS`: how long Fineract keeps the keys of processed commands (30).
    pub keys_kept_for: Duration,
    /// `RETRY_PARK_AFTER_SECONDS`: how long an undecided operation is retried before it is parked (86400).
    pub park_after: Duration,
}

impl Worker {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let any = 1..=LONGEST_SECONDS;
        Self {
            lease: reader.seconds("WORKER_LEASE_SECONDS", 50, any.clone()),
            shutdown_grace: reader.seconds("SHUTDOWN_GRACE_SECONDS", 30, 0..=LONGEST_SECONDS),
            stuck_after: reader.seconds("FINERACT_STUCK_AFTER_SECONDS", 300, any.clone()),
            keys_kept_for: Duration::from_hours(
                24 * reader.number("FINERACT_KEYS_KEPT_DAYS", 30_u64, 3..=36_500),
            ),
            park_after: reader.seconds("RETRY_PARK_AFTER_SECONDS", 86_400, any),
        }
    }
}
