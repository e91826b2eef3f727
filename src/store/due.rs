//! From where a claim looks for what is due.
//!
//! While somebody else's transaction is open for long (`pg_dump`, a report), Postgres removes nothing of what has
//! ended since: each claim would step over it all before it comes to what is due. So it goes on from where the last one
//! stopped, and looks from the very beginning now and then, for what came in behind it: what was committed
//! late, or was locked when it passed.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{claim::ClaimLimits, claimed::Row};

/// How often a claim looks from the very beginning: with the pause until the next claim, nothing is missed for more than 5 s.
const WHOLE_EVERY: Duration = Duration::from_secs(4);
/// How long a transaction takes at most, mostly: what it makes due is due since it began, and seen when it commits.
const COMMITTED_WITHIN: Duration = Duration::from_secs(1);

/// From where on a list is looked through, unless that is the beginning.
#[derive(Clone, Copy, Debug)]
enum From {
    /// Nothing was left when it was asked for.
    AllTakenAt(Instant),
    /// More may have been left behind this one.
    After(DateTime<Utc>, Uuid),
}

/// What claims of certain types have seen.
#[derive(Clone, Debug)]
struct Seen {
    /// When a claim last looked from the very beginning.
    whole_at: Instant,
    /// For each lender, and for what has none, what claims since then have seen.
    from: HashMap<Option<String>, From>,
}

/// What this process's claims have seen, by the types that they asked for: what a claim passed over is not seen.
#[derive(Debug, Default)]
pub(super) struct Due(Mutex<HashMap<Vec<String>, Seen>>);

/// From where one claim looks: its lists as columns.
#[derive(Debug)]
pub(super) struct Look {
    asked_at: Instant,
    seen: Seen,
    /// Each list's lender; none for what has no lender.
    pub(super) lenders: Vec<Option<String>>,
    /// Nothing up to this one, by time and then by id,
    pub(super) after: Vec<Option<DateTime<Utc>>>,
    pub(super) ids: Vec<Option<Uuid>>,
    /// but all that became due in the last so many seconds.
    pub(super) seconds: Vec<Option<f64>>,
}

impl Look {
    fn new(limits: &ClaimLimits, seen: Seen, asked_at: Instant) -> Self {
        let lenders = limits.lenders.iter().cloned().map(Some);
        let lenders: Vec<_> = [None].into_iter().chain(lenders).collect();
        let mut look = Self {
            asked_at,
            after: Vec::new(),
            ids: Vec::new(),
            seconds: Vec::new(),
            lenders: Vec::new(),
            seen,
        };
        for lender in lenders {
            let (after, ago) = match look.seen.from.get(&lender) {
                None => (None, None),
                Some(From::AllTakenAt(then)) => {
                    let since = asked_at.saturating_duration_since(*then);
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

    /// What has been seen when this look brought these.
    fn brought(self, limits: &ClaimLimits, rows: &[Row]) -> Seen {
        let mut seen = self.seen;
        let is_full = count(rows.len()) >= limits.count;
        for lender in self.lenders {
            let of_list: Vec<_> = rows.iter().filter(|row| row.lender == lender).collect();
            let from = if !is_full && count(of_list.len()) < limits.count_of(lender.as_deref()) {
                From::AllTakenAt(self.asked_at)
            } else if let Some(last) = of_list.iter().map(|row| (row.was_due_at, row.id)).max() {
                From::After(last.0, last.1)
            } else {
                continue;
            };
            seen.from.insert(lender, from);
        }
        seen
    }
}

impl Due {
    /// From where a claim that is asked for now has to look.
    pub(super) fn look(&self, limits: &ClaimLimits) -> Look {
        let now = Instant::now();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, seen| now.saturating_duration_since(seen.whole_at) < WHOLE_EVERY);
        let seen = all.get(&limits.types).cloned().unwrap_or_else(|| Seen {
            whole_at: now,
            from: HashMap::new(),
        });
        Look::new(limits, seen, now)
    }

    /// Notes what it brought.
    pub(super) fn note(&self, limits: &ClaimLimits, look: Look, rows: &[Row]) {
        let seen = look.brought(limits, rows);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(limits.types.clone(), seen);
    }
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
