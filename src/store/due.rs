//! Where a claim begins to search for due operations.
//!
//! While another session keeps a transaction open for a long time (`pg_dump`, a report), Postgres removes no dead rows.
//! Each claim would then have to skip the index entries of all operations that have ended since the transaction began.
//! So a claim continues where the last claim stopped. Every few seconds, one claim searches from the beginning. It
//! finds the operations that earlier claims have missed, because they were committed late or were locked.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::claimed::{ClaimLimits, Row};

/// How often a claim searches from the beginning. This time and the pause until the next claim are together at most
/// five seconds, so no operation is missed for a longer time.
const FULL_LOOK_EVERY: Duration = Duration::from_secs(4);
/// How long most transactions take. If a transaction makes an operation due, `due_at` is the start of this transaction,
/// but claims see the operation only after the commit.
const COMMITTED_WITHIN: Duration = Duration::from_secs(1);

/// Where a claim continues in the list of the due operations of one lender, if not at the beginning.
#[derive(Clone, Copy, Debug)]
enum From {
    /// The claim at this time took all due operations of the list.
    AllTakenAt(Instant),
    /// The list may have further due operations after this one (`due_at` and id).
    After(DateTime<Utc>, Uuid),
}

/// How far the claims for one set of operation types have come.
#[derive(Clone, Debug)]
struct Progress {
    /// When a claim last searched from the beginning.
    full_look_at: Instant,
    /// Where to continue, for each lender and for operations without a lender.
    from: HashMap<Option<String>, From>,
}

/// How far this process's claims have come, for each set of operation types that a claim asked for. Claims for
/// different types skip different rows, so each set has its own entry.
#[derive(Debug, Default)]
pub(super) struct Due(Mutex<HashMap<Vec<String>, Progress>>);

/// Where one claim begins to search. The vectors are columns of the claim statement, with one entry for each list.
#[derive(Debug)]
pub(super) struct Look {
    started_at: Instant,
    progress: Progress,
    /// The lender of each list; `None` for operations without a lender.
    pub(super) lenders: Vec<Option<String>>,
    /// The `due_at` of the operation after which the claim continues in the list; `None` if there is no such operation.
    pub(super) after: Vec<Option<DateTime<Utc>>>,
    /// The id of the operation after which the claim continues in the list.
    pub(super) ids: Vec<Option<Uuid>>,
    /// The claim searches at least the operations that became due within this many seconds before the claim, because
    /// operations may be committed late. `None`: the claim searches from the beginning.
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

    /// How far the claims have come after this claim has returned `rows`.
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
    /// Where a claim that is sent now begins to search.
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
