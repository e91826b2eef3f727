//! What is counted over all rounds.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    judge::{Accepted, Standing, Violation},
    plan::Passing,
};

/// How often a fault was tried, and how often it struck.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tried {
    /// In so many rounds.
    pub(super) tried: u64,
    /// So many times.
    pub(super) struck: u64,
}

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// By their names.
    pub(super) faults: BTreeMap<String, Tried>,
    /// Deaths at each point.
    pub(super) points: BTreeMap<Passing, u64>,
    /// Rounds.
    pub(super) rounds: u32,
    /// Operations that were accepted.
    pub(super) accepted: u64,
    /// Those that succeeded.
    pub(super) succeeded: u64,
    /// Those that failed.
    pub(super) failed: u64,
    /// Those that are parked.
    pub(super) parked: u64,
    /// Gateways that ended unasked, as they do where the database is away when they start.
    pub(super) unasked: u64,
    /// Every violation, and its round.
    pub(super) violations: Vec<(u32, Violation)>,
    /// The longest time from the end of all trouble to the last end, and its round.
    pub(super) slowest_recovery: (Duration, u32),
    /// The longest time from an acceptance to its end, and its round.
    pub(super) slowest_operation: (Duration, u32),
}

/// The counts, shared by all that goes on in a round.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Counts>);

impl Tally {
    /// The counts.
    pub(super) fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A fault is part of a round.
    pub(super) fn try_fault(&self, name: String) {
        self.counts().faults.entry(name).or_default().tried += 1;
    }

    /// A fault has struck.
    pub(super) fn strike(&self, name: String, times: u64) {
        self.counts().faults.entry(name).or_default().struck += times;
    }

    /// A gateway has died at a point.
    pub(super) fn died_at(&self, passing: Passing) {
        *self.counts().points.entry(passing).or_default() += 1;
    }

    /// A gateway has ended by itself.
    pub(super) fn ended_unasked(&self) {
        self.counts().unasked += 1;
    }

    /// A round is over.
    pub(super) fn end_round(
        &self,
        round: u32,
        operations: &[Accepted],
        recovery: Duration,
        slowest: Duration,
    ) {
        let mut counts = self.counts();
        counts.rounds += 1;
        counts.slowest_recovery = counts.slowest_recovery.max((recovery, round));
        counts.slowest_operation = counts.slowest_operation.max((slowest, round));
        for operation in operations {
            counts.accepted += 1;
            match operation.standing {
                Standing::Succeeded => counts.succeeded += 1,
                Standing::Failed { .. } => counts.failed += 1,
                Standing::Parked { .. } => counts.parked += 1,
                Standing::Open | Standing::Missing => {}
            }
        }
    }

    /// Promises were not kept.
    pub(super) fn object(&self, round: u32, violations: &[Violation]) {
        let violations = violations
            .iter()
            .map(|violation| (round, violation.clone()));
        self.counts().violations.extend(violations);
    }
}
