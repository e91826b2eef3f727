//! Whether Fineract takes anything at all: open, or blocked and why. The breaker.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, watch};

use super::circuit::Circuit;
use crate::worker::backoff;
use crate::{domain::FineractHealth, telemetry::wall_clock};

/// The reason of a gate that was shut because nothing came back.
pub(in crate::worker) const UNREACHABLE: &str = "fineract_unreachable";

/// The gate in front of Fineract. Blocked, it lets one real operation through after a time that grows; the
/// first that is answered as it should be opens it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CircuitBreaker {
    circuit: Arc<Mutex<Circuit>>,
    changed: Arc<Notify>,
    health: watch::Sender<FineractHealth>,
    /// Why nothing may be sent whatever Fineract answers, and since when.
    shut: Arc<Mutex<Option<Shut>>>,
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self {
            circuit: Arc::default(),
            changed: Arc::default(),
            health: watch::Sender::new(FineractHealth::Unknown),
            shut: Arc::default(),
        }
    }
}

/// Why nothing may be sent, and since when.
type Shut = (&'static str, DateTime<Utc>);

/// Leave to send. Dropped, a trial is over, whatever came of it.
#[derive(Debug)]
pub(in crate::worker) struct SendPermit {
    trial_of: Option<CircuitBreaker>,
}

impl Drop for SendPermit {
    fn drop(&mut self) {
        if let Some(circuit_breaker) = &self.trial_of {
            circuit_breaker.lock().end_trial();
        }
    }
}

impl CircuitBreaker {
    /// What is known of Fineract's state.
    pub fn health(&self) -> watch::Receiver<FineractHealth> {
        self.health.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many of `free` places may be filled now.
    pub(in crate::worker) fn admits(&self, free: usize) -> usize {
        if self.shut_for().is_some() {
            return 0;
        }
        let circuit = self.lock();
        if circuit.is_closed() {
            free
        } else if circuit.may_try(Instant::now()) {
            free.min(1)
        } else {
            0
        }
    }

    /// Whether everything may be sent.
    pub(in crate::worker) fn is_open(&self) -> bool {
        self.lock().is_closed()
    }

    /// Leave to send one operation now; blocked, only the next trial gets it.
    pub(in crate::worker) fn enter(&self) -> Option<SendPermit> {
        if self.shut_for().is_some() {
            return None;
        }
        let mut circuit = self.lock();
        if circuit.is_closed() {
            return Some(SendPermit { trial_of: None });
        }
        circuit.start_trial(Instant::now()).then(|| SendPermit {
            trial_of: Some(self.clone()),
        })
    }

    /// Waits until the gate has opened.
    pub(in crate::worker) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Fineract answered as it should.
    pub(in crate::worker) fn open(&self) {
        if let Some(reason) = self.lock().close() {
            tracing::info!(reason, "Fineract takes operations again");
            metrics::gauge!("gateway_fineract_blocked", "reason" => reason).set(0);
            self.changed.notify_one();
        }
        self.show(FineractHealth::Open);
    }

    /// Sends nothing until [`readmit`](Self::readmit), whatever Fineract answers.
    pub(in crate::worker) fn shut(&self, reason: &'static str) {
        *self.shut.lock().unwrap_or_else(PoisonError::into_inner) = Some((reason, wall_clock()));
        tracing::error!(
            reason,
            "nothing is sent to Fineract until an operator has looked"
        );
        metrics::gauge!("gateway_fineract_blocked", "reason" => reason).set(1);
        self.show(FineractHealth::Unknown);
    }

    /// What [`shut`](Self::shut) it is over.
    pub(in crate::worker) fn readmit(&self) {
        let shut = self
            .shut
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some((reason, _)) = shut {
            tracing::info!(reason, "operations are sent to Fineract again");
            metrics::gauge!("gateway_fineract_blocked", "reason" => reason).set(0);
        }
        self.show(FineractHealth::Unknown);
        self.changed.notify_one();
    }

    fn shut_for(&self) -> Option<Shut> {
        *self.shut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows Fineract's state, or what nothing is sent for whatever that is.
    fn show(&self, health: FineractHealth) {
        let shut = self.shut_for();
        let health = shut.map_or(health, |(reason, since)| FineractHealth::Blocked {
            reason,
            since,
        });
        self.health.send_if_modified(|shown| {
            let differs = *shown != health;
            *shown = health;
            differs
        });
    }

    /// Fineract takes nothing of us: stop sending, keep everything waiting, say so.
    pub(in crate::worker) fn block(&self, reason: &'static str) {
        let mut circuit = self.lock();
        let before = circuit.reason();
        if !circuit.open(reason, Instant::now(), backoff::jitter) || before == Some(reason) {
            return;
        }
        drop(circuit);
        tracing::error!(reason, "Fineract takes nothing: operations wait");
        if let Some(before) = before {
            metrics::gauge!("gateway_fineract_blocked", "reason" => before).set(0);
        }
        metrics::gauge!("gateway_fineract_blocked", "reason" => reason).set(1);
        let since = match *self.health.borrow() {
            FineractHealth::Blocked { since, .. } => since,
            FineractHealth::Unknown | FineractHealth::Open => wall_clock(),
        };
        self.show(FineractHealth::Blocked { reason, since });
    }

    /// Something came back from Fineract: it is there. Whether the gate had been shut because it was not.
    pub(in crate::worker) fn note_answer(&self) -> bool {
        let was_away = self.lock().note_answer() == Some(UNREACHABLE);
        if was_away {
            self.open();
        }
        was_away
    }

    /// Nothing came back from Fineract. Often enough in a row, it is away.
    pub(in crate::worker) fn note_silence(&self) {
        let is_away = self.lock().note_silence();
        if is_away {
            self.block(UNREACHABLE);
        }
    }
}
