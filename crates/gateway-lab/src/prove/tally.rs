//! The counts over all rounds.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    judge::{Accepted, Status, Violation},
    plan::Passing,
};

/// How often a fault was tried, and how often it hit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tried {
    /// The number of rounds that tried the fault.
    pub(super) rounds: u64,
    /// The number of hits.
    pub(super) hits: u64,
}

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// The faults, by name.
    pub(super) faults: BTreeMap<String, Tried>,
    /// The number of deaths at each fault point.
    pub(super) points: BTreeMap<Passing, u64>,
    /// The number of rounds.
    pub(super) rounds: u32,
    /// The number of accepted operations.
    pub(super) accepted: u64,
    /// The number of operations that succeeded.
    pub(super) succeeded: u64,
    /// The number of operations that failed.
    pub(super) failed: u64,
    /// The number of operations that are parked at the end of their round.
    pub(super) parked: u64,
    /// The number of gateways that ended by themselves, for example because the database was unavailable when they
    /// started.
    pub(super) unexpected_ends: u64,
    /// Every violation, with its round.
    pub(super) violations: Vec<(u32, Violation)>,
    /// The longest time from the last disturbance to the end of the last operation, with its round.
    pub(super) slowest_recovery: (Duration, u32),
    /// The longest time from the acceptance of an operation to its end, with its round.
    pub(super) slowest_operation: (Duration, u32),
}

/// The counts, shared by all tasks of a round.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Counts>);

impl Tally {
    /// The counts.
    pub(super) fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a round that tries a fault.
    pub(super) fn count_round_with(&self, name: String) {
        self.counts().faults.entry(name).or_default().rounds += 1;
    }

    /// Counts the hits of a fault.
    pub(super) fn count_hits(&self, name: String, times: u64) {
        self.counts().faults.entry(name).or_default().hits += times;
    }

    /// Counts a death at a fault point.
    pub(super) fn count_death_at(&self, passing: Passing) {
        *self.counts().points.entry(passing).or_default() += 1;
    }

    /// Counts a gateway that ended by itself.
    pub(super) fn ended_unexpectedly(&self) {
        self.counts().unexpected_ends += 1;
    }

    /// Counts a round and its operations.
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
            match operation.status {
                Status::Succeeded => counts.succeeded += 1,
                Status::Failed { .. } => counts.failed += 1,
                Status::Parked { .. } => counts.parked += 1,
                Status::Open | Status::Missing => {}
            }
        }
    }

    /// Adds violations.
    pub(super) fn add_violations(&self, round: u32, violations: &[Violation]) {
        let violations = violations
            .iter()
            .map(|violation| (round, violation.clone()));
        self.counts().violations.extend(violations);
    }
}
