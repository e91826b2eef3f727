//! The types and lenders that Fineract does not take now: a permission is missing, or a product.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{domain::OperationType, store::ClaimLimits};

/// How soon one of the operations that wait is tried; after each trial twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two trials.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What may be blocked by itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Part {
    /// A type.
    Type(OperationType),
    /// A type for one lender.
    Lender(OperationType, String),
}

/// When one operation is tried again, and how long after it the next.
#[derive(Clone, Copy, Debug)]
struct Trial {
    due_at: Instant,
    pause: Duration,
}

/// What is blocked. However many operations wait for it, one at a time is tried.
#[derive(Debug, Default)]
pub(super) struct Blocked {
    trials: Mutex<HashMap<Part, Trial>>,
}

impl Blocked {
    fn lock(&self) -> MutexGuard<'_, HashMap<Part, Trial>> {
        self.trials.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps others of this part from being claimed.
    pub(super) fn block(&self, part: Part, reason_code: &'static str) {
        if let Entry::Vacant(entry) = self.lock().entry(part) {
            tracing::error!(
                blocked = ?entry.key(),
                reason_code,
                "operations of one kind wait until this is set up"
            );
            entry.insert(Trial {
                due_at: Instant::now() + FIRST_PAUSE,
                pause: FIRST_PAUSE,
            });
        }
    }

    /// Lets all of them through again.
    pub(super) fn open(&self, part: &Part) {
        if self.lock().remove(part).is_some() {
            tracing::info!(blocked = ?part, "operations of this kind go on");
        }
    }

    /// The claims that keep to what is blocked: one of everything else, and one of a single operation of
    /// a part whose trial is due.
    pub(super) fn claims(&self, limits: ClaimLimits, lenders: &[String]) -> Vec<ClaimLimits> {
        let mut trials = self.lock();
        let now = Instant::now();
        let due = trials.iter_mut().find(|(_, trial)| trial.due_at <= now);
        let single = due.map(|(part, trial)| {
            trial.pause = (trial.pause * 2).min(LONGEST_PAUSE);
            trial.due_at = now + trial.pause;
            single_of(part, &limits, lenders)
        });
        let mut others = limits;
        for part in trials.keys() {
            match part {
                Part::Type(blocked) => others.types.retain(|name| name != blocked.as_str()),
                Part::Lender(_, lender) => {
                    others
                        .leased_by_lender
                        .insert(lender.clone(), others.per_lender);
                }
            }
        }
        single.into_iter().chain([others]).collect()
    }
}

/// The claim of one operation of a part.
fn single_of(part: &Part, limits: &ClaimLimits, lenders: &[String]) -> ClaimLimits {
    let (operation_type, leased_by_lender) = match part {
        Part::Type(operation_type) => (operation_type, limits.leased_by_lender.clone()),
        // All the others have as many as they may have.
        Part::Lender(operation_type, lender) => {
            let others = lenders.iter().filter(|other| *other != lender);
            let leased = others.map(|other| (other.clone(), limits.per_lender));
            (operation_type, leased.collect())
        }
    };
    ClaimLimits {
        count: 1,
        types: vec![operation_type.as_str().to_owned()],
        leased_by_lender,
        ..limits.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    fn limits() -> ClaimLimits {
        ClaimLimits {
            count: 10,
            lease: Duration::from_mins(1),
            types: vec!["CLIENT_CREATE".to_owned(), "LOAN_CREATE".to_owned()],
            leased_by_lender: HashMap::from([("DMI".to_owned(), 1)]),
            per_lender: 2,
            lenders: ["DMI", "GB", "UGRO"].map(str::to_owned).to_vec(),
        }
    }

    /// How many, of which types, and who has all that he may have.
    fn claims(blocked: &Blocked) -> Vec<(i64, Vec<String>, Vec<String>)> {
        let lenders = ["DMI", "GB", "UGRO"].map(str::to_owned);
        let claims = blocked.claims(limits(), &lenders).into_iter();
        claims
            .map(|claim| {
                let full = claim.leased_by_lender.iter();
                let full = full.filter(|(_, leased)| **leased >= claim.per_lender);
                let mut full: Vec<_> = full.map(|(lender, _)| lender.clone()).collect();
                full.sort();
                (claim.count, claim.types, full)
            })
            .collect()
    }

    fn texts(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn of_what_is_blocked_one_is_tried_from_time_to_time() {
        let blocked = Blocked::default();
        let (kind, lender) = (
            Part::Type(OperationType::ClientCreate),
            Part::Lender(OperationType::LoanCreate, "GB".to_owned()),
        );
        let all = (10, texts(&["CLIENT_CREATE", "LOAN_CREATE"]), vec![]);
        assert_eq!(claims(&blocked), from_ref(&all));

        for (part, others, single) in [
            (
                &kind,
                (10, texts(&["LOAN_CREATE"]), vec![]),
                (1, texts(&["CLIENT_CREATE"]), vec![]),
            ),
            (
                &lender,
                (10, texts(&["CLIENT_CREATE", "LOAN_CREATE"]), texts(&["GB"])),
                (1, texts(&["LOAN_CREATE"]), texts(&["DMI", "UGRO"])),
            ),
        ] {
            blocked.block(part.clone(), "test");
            assert_eq!(claims(&blocked), from_ref(&others), "not due yet");
            let mut pauses = Vec::new();
            for _ in 0..7 {
                blocked.lock().get_mut(part).unwrap().due_at = Instant::now();
                assert_eq!(claims(&blocked), [single.clone(), others.clone()]);
                assert_eq!(claims(&blocked), from_ref(&others), "one at a time");
                pauses.push(blocked.lock()[part].pause.as_secs());
                // It failed.
                blocked.block(part.clone(), "test");
            }
            assert_eq!(pauses, [2, 4, 8, 16, 30, 30, 30]);
            blocked.open(part);
            assert_eq!(claims(&blocked), from_ref(&all));
        }
    }
}
