//! What the steps of an operation share.

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
    watched::Watched,
};
use crate::{
    fineract::{Fineract, Permits},
    operations::Deployment,
    store::Store,
};

/// Operations that are held ready beside those under way and as many again.
const NEXT: usize = 8;

/// What the steps of an operation share.
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
    pub(super) watched: Watched,
    pub(super) keys: Keys,
    pub(super) limiter: Arc<Limiter>,
    last_success: Mutex<Option<Instant>>,
    /// Held by the one operation that runs although processes died that held it.
    pub(super) suspects: tokio::sync::Mutex<()>,
}

impl Deps {
    /// Whether any operation of this process succeeded in the last `time`.
    pub(super) fn succeeded_within(&self, time: Duration) -> bool {
        let last = self
            .last_success
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|last| last.elapsed() < time)
    }

    pub(super) fn note_success(&self) {
        *self
            .last_success
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// How many operations may be held: more than may be under way, so that the next is there when one
    /// ends, and few enough to leave the others to other processes.
    pub(super) fn capacity(&self) -> usize {
        2 * self.limiter.limit() + NEXT
    }

    /// The lenders that operations may name.
    pub(super) fn lenders(&self) -> Vec<String> {
        let names = self.deployment.lenders.iter().map(|(name, _)| name.clone());
        names.collect()
    }

    /// The same Fineract for reads on behalf of callers, and the permits that they take what is left of.
    pub fn reads(&self) -> (Fineract, Arc<Permits>) {
        (self.fineract.clone(), Arc::clone(self.limiter.permits()))
    }

    /// A runner over these parts.
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
            watched: Watched::default(),
            keys: Keys::default(),
            last_success: Mutex::default(),
            suspects: tokio::sync::Mutex::default(),
        }
    }
}
