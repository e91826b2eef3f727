//! The dependencies and the state that the steps of an operation share.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

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
        2 * self.limiter.limit() + CLAIMED_AHEAD
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
