//! The types and lenders that Fineract does not take now: a permission is missing, or a product.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{domain::OperationType, store::ClaimLimits};

/// How often one of the operations that wait is tried.
pub(super) const TRIAL_EVERY: Duration = Duration::from_secs(30);

/// What may be blocked by itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Part {
    /// A type.
    Type(OperationType),
    /// A type for one lender.
    Lender(OperationType, String),
}

/// What is blocked. However many operations wait for it, one at a time is tried.
#[derive(Debug)]
pub(super) struct Blocked {
    trial_every: Duration,
    next_trials: Mutex<HashMap<Part, Instant>>,
}

impl Blocked {
    /// Nothing is blocked yet.
    pub(super) fn new(trial_every: Duration) -> Self {
        Self {
            trial_every,
            next_trials: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Part, Instant>> {
        self.next_trials
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps others of this part from being claimed.
    pub(super) fn block(&self, part: Part, why: &'static str) {
        let next_trial = Instant::now() + self.trial_every;
        let text = format!("{part:?}");
        if self.lock().insert(part, next_trial).is_none() {
            tracing::error!(
                blocked = text,
                why,
                "operations of one kind wait until this is set up"
            );
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
        let mut next_trials = self.lock();
        let now = Instant::now();
        let due = next_trials
            .iter_mut()
            .find(|(_, next_trial)| **next_trial <= now);
        let trial = due.map(|(part, next_trial)| {
            *next_trial = now + self.trial_every;
            trial_of(part, &limits, lenders)
        });
        let mut others = limits;
        for part in next_trials.keys() {
            match part {
                Part::Type(blocked) => others.types.retain(|name| name != blocked.as_str()),
                Part::Lender(_, lender) => {
                    others
                        .held_by_lender
                        .insert(lender.clone(), others.per_lender);
                }
            }
        }
        trial.into_iter().chain([others]).collect()
    }
}

fn trial_of(part: &Part, limits: &ClaimLimits, lenders: &[String]) -> ClaimLimits {
    let (operation_type, held_by_lender) = match part {
        Part::Type(operation_type) => (operation_type, limits.held_by_lender.clone()),
        // All the others have as many as they may have.
        Part::Lender(operation_type, lender) => {
            let others = lenders.iter().filter(|other| *other != lender);
            let held = others.map(|other| (other.clone(), limits.per_lender));
            (operation_type, held.collect())
        }
    };
    ClaimLimits {
        count: 1,
        types: vec![operation_type.as_str().to_owned()],
        held_by_lender,
        ..limits.clone()
    }
}
