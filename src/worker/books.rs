//! What this process knows about Fineract's books.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long the gateway relies on its last reading of which process of Fineract answers. Also the pause between two
/// checks while Fineract has other books than ours, or if Fineract does not show which process answers.
pub(super) const VALID_FOR: Duration = Duration::from_mins(1);
/// How long a check is valid if no call fails and the same process of Fineract answers.
pub(super) const CHECK_EVERY: Duration = Duration::from_hours(24);

/// What this process knows about Fineract's books.
#[derive(Debug, Default)]
pub(super) struct Books {
    state: Mutex<BooksState>,
    /// Locked by the operation that checks the books, so that only one operation at a time checks them.
    pub(super) turn: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct BooksState {
    /// When the books were last found to be ours.
    pub(super) checked_at: Option<Instant>,
    /// When a check was last attempted.
    pub(super) attempted_at: Option<Instant>,
    /// When the gateway last read which process of Fineract answers.
    pub(super) process_read_at: Option<Instant>,
    /// The start times of the Fineract processes whose books were found to be ours.
    pub(super) processes: Vec<String>,
    /// Whether the last check read any client or loan. If the database has no number of a client or loan, a check does
    /// not call Fineract, so the check can be repeated at any time.
    pub(super) has_read_any: bool,
    /// The time of the last failed call to Fineract before the last check.
    pub(super) last_failure: Option<Instant>,
    /// The epoch of the database when the books were last found to be ours.
    pub(super) epoch: Option<i32>,
    /// The epoch in which Fineract was found to have other books than ours. `None` while Fineract has our books.
    pub(super) foreign_in: Option<i32>,
}

impl BooksState {
    /// Whether the last check is still valid.
    pub(super) fn is_current(&self, last_failure: Option<Instant>) -> bool {
        self.foreign_in.is_none()
            && self.last_failure == last_failure
            && self.checked_at.is_some_and(|at| at.elapsed() < CHECK_EVERY)
            && self
                .process_read_at
                .is_some_and(|at| at.elapsed() < VALID_FOR)
    }

    /// Whether the books of this process of Fineract were found to be ours.
    pub(super) fn knows_process(&self, process: Option<&String>) -> bool {
        process.is_some_and(|process| self.processes.contains(process))
    }

    pub(super) fn has_just_been_read(&self) -> bool {
        self.has_read_any && self.checked_at.is_some_and(|at| at.elapsed() < VALID_FOR)
    }
}

impl Books {
    pub(super) fn lock(&self) -> MutexGuard<'_, BooksState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
