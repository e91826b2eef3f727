//! The types and lenders for which Fineract accepts no commands at present, because a permission or a product
//! is missing.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{domain::OperationType, store::ClaimLimits};

/// The pause before the first trial operation of a blocked scope. The pause doubles after each trial.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two trials.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The blocked scopes. Of all operations of a blocked scope, only one at a time is tried.
#[derive(Debug, Default)]
pub(super) struct Blocked {
    trials: Mutex<HashMap<BlockedScope, Trial>>,
}

/// A scope that can be blocked on its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum BlockedScope {
    /// All operations of a type.
    Type(OperationType),
    /// All operations of a type for one lender.
    Lender(OperationType, String),
}

/// When the next trial operation is due, and the pause after that trial.
#[derive(Clone, Copy, Debug)]
struct Trial {
    due_at: Instant,
    pause: Duration,
}

impl Blocked {
    /// Stops claims of this scope.
    pub(super) fn block(&self, scope: BlockedScope, reason_code: &'static str) {
        if let Entry::Vacant(entry) = self.lock().entry(scope) {
            tracing::error!(
                blocked = ?entry.key(),
                reason_code,
                "operations of a type or lender are blocked until Fineract accepts one of them; only trial operations are sent"
            );
            entry.insert(Trial {
                due_at: Instant::now() + FIRST_PAUSE,
                pause: FIRST_PAUSE,
            });
        }
    }

    /// Allows claims of this scope again.
    pub(super) fn unblock(&self, scope: &BlockedScope) {
        if self.lock().remove(scope).is_some() {
            tracing::info!(blocked = ?scope, "operations of a type or lender are no longer blocked; the gateway sends all of them again");
        }
    }

    /// The blocked scopes.
    pub(super) fn scopes(&self) -> Vec<BlockedScope> {
        self.lock().keys().cloned().collect()
    }

    /// Whether operations of this type, or some of them, are blocked.
    pub(super) fn blocks_some_of(&self, operation_type: OperationType) -> bool {
        self.lock().keys().any(|scope| match scope {
            BlockedScope::Type(blocked) | BlockedScope::Lender(blocked, _) => {
                *blocked == operation_type
            }
        })
    }

    /// Splits a claim so that it respects the blocked scopes. If a trial is due, the first claim is for a single
    /// operation of the scope of this trial. The last claim is for everything that is not blocked.
    pub(super) fn claims(&self, limits: ClaimLimits, lenders: &[String]) -> Vec<ClaimLimits> {
        let mut trials = self.lock();
        let now = Instant::now();
        let due = trials.iter_mut().find(|(_, trial)| trial.due_at <= now);
        let trial_claim = due.map(|(scope, trial)| {
            trial.pause = (trial.pause * 2).min(LONGEST_PAUSE);
            trial.due_at = now + trial.pause;
            trial_claim(scope, &limits, lenders)
        });
        let mut others = limits;
        for scope in trials.keys() {
            match scope {
                BlockedScope::Type(blocked) => others.types.retain(|name| name != blocked.as_str()),
                BlockedScope::Lender(_, lender) => {
                    others
                        .leased_by_lender
                        .insert(lender.clone(), others.per_lender);
                }
            }
        }
        trial_claim.into_iter().chain([others]).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BlockedScope, Trial>> {
        self.trials.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The claim of one operation of a blocked scope.
fn trial_claim(scope: &BlockedScope, limits: &ClaimLimits, lenders: &[String]) -> ClaimLimits {
    let (operation_type, leased_by_lender) = match scope {
        BlockedScope::Type(operation_type) => (operation_type, limits.leased_by_lender.clone()),
        // Exclude all other lenders by counting them as fully used.
        BlockedScope::Lender(operation_type, lender) => {
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

    /// For each claim: its size, its types, and the lenders that it excludes.
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
    fn one_operation_of_a_blocked_scope_is_tried_after_growing_pauses() {
        let blocked = Blocked::default();
        let (kind, lender) = (
            BlockedScope::Type(OperationType::ClientCreate),
            BlockedScope::Lender(OperationType::LoanCreate, "GB".to_owned()),
        );
        let all = (10, texts(&["CLIENT_CREATE", "LOAN_CREATE"]), vec![]);
        assert_eq!(claims(&blocked), from_ref(&all));

        for (scope, others, trial_claim) in [
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
            blocked.block(scope.clone(), "test");
            assert_eq!(claims(&blocked), from_ref(&others), "not due yet");
            let mut pauses = Vec::new();
            for _ in 0..7 {
                blocked.lock().get_mut(scope).unwrap().due_at = Instant::now();
                assert_eq!(claims(&blocked), [trial_claim.clone(), others.clone()]);
                assert_eq!(claims(&blocked), from_ref(&others), "one trial at a time");
                pauses.push(blocked.lock()[scope].pause.as_secs());
                // The trial failed.
                blocked.block(scope.clone(), "test");
            }
            assert_eq!(pauses, [2, 4, 8, 16, 30, 30, 30]);
            blocked.unblock(scope);
            assert_eq!(claims(&blocked), from_ref(&all));
        }
    }
}
