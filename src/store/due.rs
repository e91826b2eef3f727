//! Where a claim begins to look for due operations.
//!
//! While a transaction of another session stays open for long (`pg_dump`, a report), Postgres removes no dead rows, and
//! each claim would step over all index entries of operations that have ended since. So a claim continues where the
//! last one stopped. Every few seconds one claim looks from the beginning, for operations that appeared behind: those
//! that were committed late, or were locked when a claim passed them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::claimed::{ClaimLimits, Row};

/// How often a claim looks from the beginning. Together with the pause until the next claim, no operation is missed for
/// more than 5 s.
const FULL_LOOK_EVERY: Duration = Duration::from_secs(4);
/// How long most transactions take. An operation is due from the start of the transaction that makes it so, but visible
/// only after its commit.
const COMMITTED_WITHIN: Duration = Duration::from_secs(1);

/// Where a claim continues in the list of one lender, if not at the beginning.
#[derive(Clone, Copy, Debug)]
enum From {
    /// The claim at this time took everything in the list.
    AllTakenAt(Instant),
    /// More may be left after this operation.
    After(DateTime<Utc>, Uuid),
}

/// How far the claims for one set of operation types have come.
#[derive(Clone, Debug)]
struct Progress {
    /// When a claim last looked from the beginning.
    full_look_at: Instant,
    /// Where to continue, for each lender and for operations without one.
    from: HashMap<Option<String>, From>,
}

/// How far this process's claims have come, for each set of operation types that a claim asked for. Claims for
/// different types skip different rows, so they are kept apart.
#[derive(Debug, Default)]
pub(super) struct Due(Mutex<HashMap<Vec<String>, Progress>>);

/// Where one claim begins: one entry per list, as the columns of the statement.
#[derive(Debug)]
pub(super) struct Look {
    started_at: Instant,
    progress: Progress,
    /// The lender of each list; `None` for operations without one.
    pub(super) lenders: Vec<Option<String>>,
    /// The `due_at` of the last operation that was claimed from the list; `None` if there is none to continue after.
    pub(super) after: Vec<Option<DateTime<Utc>>>,
    /// The id of that operation.
    pub(super) ids: Vec<Option<Uuid>>,
    /// How many seconds to look back at least, because of late commits; `None` to begin at the beginning.
    pub(super) seconds: Vec<Option<f64>>,
}

impl Look {
    fn new(limits: &ClaimLimits, progress: Progress, started_at: Instant) -> Self {
        let lenders = limits.lenders.iter().cloned().map(Some);
        let lenders: Vec<_> = [None].into_iter().chain(lenders).collect();
        let mut look = Self {
            started_at,
            after: Vec::new(),
            ids: Vec::new(),
            seconds: Vec::new(),
            lenders: Vec::new(),
            progress,
        };
        for lender in lenders {
            let (after, ago) = match look.progress.from.get(&lender) {
                None => (None, None),
                Some(From::AllTakenAt(then)) => {
                    let since = started_at.saturating_duration_since(*then);
                    (None, Some(since + COMMITTED_WITHIN))
                }
                Some(From::After(due_at, id)) => (Some((*due_at, *id)), Some(COMMITTED_WITHIN)),
            };
            look.lenders.push(lender);
            look.after.push(after.map(|(due_at, _)| due_at));
            look.ids.push(after.map(|(_, id)| id));
            look.seconds.push(ago.map(|ago| ago.as_secs_f64()));
        }
        look
    }

    /// How far the claims have come after this one returned `rows`.
    fn progress_after(self, limits: &ClaimLimits, rows: &[Row]) -> Progress {
        let mut progress = self.progress;
        let is_full = count(rows.len()) >= limits.count;
        for lender in self.lenders {
            let of_list: Vec<_> = rows.iter().filter(|row| row.lender == lender).collect();
            let from = if !is_full && count(of_list.len()) < limits.count_of(lender.as_deref()) {
                From::AllTakenAt(self.started_at)
            } else if let Some(last) = of_list.iter().map(|row| (row.was_due_at, row.id)).max() {
                From::After(last.0, last.1)
            } else {
                continue;
            };
            progress.from.insert(lender, from);
        }
        progress
    }
}

impl Due {
    /// Where a claim that is sent now begins.
    pub(super) fn look(&self, limits: &ClaimLimits) -> Look {
        let now = Instant::now();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, progress| {
            now.saturating_duration_since(progress.full_look_at) < FULL_LOOK_EVERY
        });
        let progress = all.get(&limits.types).cloned().unwrap_or_else(|| Progress {
            full_look_at: now,
            from: HashMap::new(),
        });
        Look::new(limits, progress, now)
    }

    /// Records what a claim returned.
    pub(super) fn record(&self, limits: &ClaimLimits, look: Look, rows: &[Row]) {
        let progress = look.progress_after(limits, rows);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(limits.types.clone(), progress);
    }
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
