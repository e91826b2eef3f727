//! The dependencies and the state that the steps of an operation share.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    time::{Duration, Instant},
};

use tokio_util::task::TaskTracker;

use super::{
    blocked::Blocked,
    books::Books,
    keys::Keys,
    leases::Leases,
    protect::{CircuitBreaker, Limiter},
    settings::Settings,
    unended_keys::UnendedKeys,
};
use crate::{
    fineract::{Fineract, Permits},
    operations::Deployment,
    store::Store,
};

/// How many operations are claimed beyond twice the concurrency limit.
const CLAIMED_AHEAD: usize = 8;
/// How many operations are claimed for each permit while Fineract answers faster than the database commits.
const CLAIMED_FOR_COMMITS: usize = 8;

/// The dependencies and the state that the steps of an operation share.
#[derive(Debug)]
pub struct Deps {
    pub(super) store: Store,
    pub(super) fineract: Fineract,
    pub(super) deployment: Arc<Deployment>,
    pub(super) settings: Settings,
    pub(super) circuit_breaker: CircuitBreaker,
    pub(super) leases: Leases,
    pub(super) blocked: Blocked,
    pub(super) books: Books,
    pub(super) unended_keys: UnendedKeys,
    pub(super) keys: Keys,
    pub(super) limiter: Arc<Limiter>,
    /// Whether the last claim left nothing behind that is due. Otherwise older operations come before new ones.
    pub(super) is_queue_empty: AtomicBool,
    last_success: Mutex<Option<Instant>>,
    /// Locked while an operation runs whose earlier claims ended with their process. Only one such operation may run
    /// at a time.
    pub(super) runs_alone: tokio::sync::Mutex<()>,
}

impl Deps {
    /// Starts without any knowledge of Fineract: nothing is blocked, and neither books nor keys are verified yet.
    pub fn new(
        store: Store,
        fineract: Fineract,
        deployment: Arc<Deployment>,
        settings: Settings,
        circuit_breaker: CircuitBreaker,
    ) -> Self {
        let limiter = Arc::new(Limiter::new(
            settings.max_in_flight,
            circuit_breaker.clone(),
        ));
        Self {
            store,
            fineract: fineract.observed_by(limiter.observer()),
            deployment,
            limiter,
            blocked: Blocked::default(),
            books: Books::default(),
            settings,
            circuit_breaker,
            leases: Leases::default(),
            unended_keys: UnendedKeys::default(),
            keys: Keys::default(),
            last_success: Mutex::default(),
            is_queue_empty: AtomicBool::default(),
            runs_alone: tokio::sync::Mutex::default(),
        }
    }

    /// The Fineract client for reads on behalf of callers, and the permits for these reads. Such a read takes a
    /// permit only when no operation waits for a permit.
    pub fn reads(&self) -> (Fineract, Arc<Permits>) {
        (self.fineract.clone(), Arc::clone(self.limiter.permits()))
    }

    /// How many operations this process may have claimed at the same time. The number is higher than the concurrency
    /// limit, so that a claimed operation is ready as soon as another operation ends. The number is low enough to
    /// leave operations to other processes.
    pub(super) fn capacity(&self) -> usize {
        if self.limiter.is_faster_than_a_commit() {
            // Most operations then wait for commits, and a commit serves all that wait for it.
            return CLAIMED_FOR_COMMITS * self.limiter.limit();
        }
        2 * self.limiter.limit() + CLAIMED_AHEAD
    }

    /// How many further operations this process may have claimed, with `tasks` in progress. One task renews leases.
    pub(super) fn free(&self, tasks: &TaskTracker) -> usize {
        // An operation that only waits until its completion is written does not use up capacity.
        let busy = (tasks.len() - 1).saturating_sub(self.store.completions_left_out());
        self.capacity().saturating_sub(busy)
    }

    /// The allowed values of `lenderConfig`.
    pub(super) fn lenders(&self) -> Vec<String> {
        let names = self.deployment.lenders.iter().map(|(name, _)| name.clone());
        names.collect()
    }

    pub(super) fn note_success(&self) {
        *self
            .last_success
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether any operation of this process has succeeded within the last `time`.
    pub(super) fn succeeded_within(&self, time: Duration) -> bool {
        let last = self
            .last_success
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|last| last.elapsed() < time)
    }
}
