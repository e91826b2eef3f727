//! What this process has seen of Fineract's books.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long a look counts, and how often there is one at most, unless Fineract's process is another.
pub(super) const PAUSE: Duration = Duration::from_mins(1);
/// After this time there is a look in any case.
pub(super) const DAILY: Duration = Duration::from_hours(24);

/// What has been seen of the books.
#[derive(Debug, Default)]
pub(super) struct Books {
    seen: Mutex<Seen>,
    /// Held by the one that looks.
    pub(super) turn: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// When the books were last found to be ours.
    pub(super) looked_at: Option<Instant>,
    /// When it was last tried.
    pub(super) tried_at: Option<Instant>,
    /// When it was last asked which process answers.
    pub(super) asked_at: Option<Instant>,
    /// When the processes began in whose time the books were found to be ours.
    pub(super) processes: Vec<String>,
    /// Whether any client was read for that: else another look costs nothing.
    pub(super) has_read: bool,
    /// The last failure of a call that had been seen by then.
    pub(super) last_failure: Option<Instant>,
    /// In which epoch they are another's.
    pub(super) another_in: Option<i32>,
}

impl Seen {
    /// Whether nothing has happened since the last look that would ask for another.
    pub(super) fn is_current(&self, last_failure: Option<Instant>) -> bool {
        self.another_in.is_none()
            && self.last_failure == last_failure
            && self.looked_at.is_some_and(|at| at.elapsed() < DAILY)
            && self.asked_at.is_some_and(|at| at.elapsed() < PAUSE)
    }

    /// Whether the books were found to be ours in the time of this process.
    pub(super) fn knows(&self, process: Option<&String>) -> bool {
        process.is_some_and(|process| self.processes.contains(process))
    }

    pub(super) fn has_just_read(&self) -> bool {
        self.has_read && self.looked_at.is_some_and(|at| at.elapsed() < PAUSE)
    }
}

impl Books {
    pub(super) fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
