//! The circuit breaker: stops sending while Fineract does not answer or accepts nothing.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, watch};

use super::circuit::Circuit;
use crate::worker::backoff;
use crate::{domain::FineractHealth, telemetry::wall_clock};

/// Reason code of a circuit that opened because Fineract did not answer.
pub(in crate::worker) const UNREACHABLE: &str = "fineract_unreachable";

/// Stops sending to Fineract while the circuit is open. After each of the growing pauses, one real operation is
/// admitted. The first operation that Fineract accepts closes the circuit. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CircuitBreaker {
    circuit: Arc<Mutex<Circuit>>,
    changed: Arc<Notify>,
    health: watch::Sender<FineractHealth>,
    /// Why nothing may be sent, regardless of Fineract's answers, and since when.
    forced_open: Arc<Mutex<Option<ForcedOpen>>>,
}

impl CircuitBreaker {
    /// The current knowledge about Fineract's state.
    pub fn health(&self) -> watch::Receiver<FineractHealth> {
        self.health.subscribe()
    }

    /// How many of `free` operations may be claimed now.
    pub(in crate::worker) fn admits(&self, free: usize) -> usize {
        if self.forced_open().is_some() {
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

    /// Permits one operation to send now. While the circuit is open, only the next trial operation gets a
    /// permit.
    pub(in crate::worker) fn enter(&self) -> Option<SendPermit> {
        if self.forced_open().is_some() {
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

    /// Whether operations are sent without restriction.
    pub(in crate::worker) fn is_closed(&self) -> bool {
        self.lock().is_closed()
    }

    /// Waits until sending is allowed again.
    pub(in crate::worker) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Opens the circuit because Fineract accepts nothing: stops sending, and logs and publishes the reason.
    pub(in crate::worker) fn open(&self, reason: &'static str) {
        let mut circuit = self.lock();
        let before = circuit.reason();
        if !circuit.open(reason, Instant::now(), backoff::jitter) || before == Some(reason) {
            return;
        }
        drop(circuit);
        tracing::error!(reason, "circuit opened; sending paused");
        if let Some(before) = before {
            metrics::gauge!("gateway_fineract_blocked", "reason" => before).set(0);
        }
        metrics::gauge!("gateway_fineract_blocked", "reason" => reason).set(1);
        let since = match *self.health.borrow() {
            FineractHealth::Blocked { since, .. } => since,
            FineractHealth::Unknown | FineractHealth::Open => wall_clock(),
        };
        self.publish(FineractHealth::Blocked { reason, since });
    }

    /// Closes the circuit after Fineract has accepted a command.
    pub(in crate::worker) fn close(&self) {
        if let Some(reason) = self.lock().close() {
            tracing::info!(reason, "circuit closed; sending resumed");
            metrics::gauge!("gateway_fineract_blocked", "reason" => reason).set(0);
            self.changed.notify_one();
        }
        self.publish(FineractHealth::Open);
    }

    /// Stops sending until [`end_forced_open`](Self::end_forced_open), regardless of Fineract's answers.
    pub(in crate::worker) fn force_open(&self, reason: &'static str) {
        *self
            .forced_open
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some((reason, wall_clock()));
        tracing::error!(
            reason,
            "circuit opened until the reason is resolved; sending paused"
        );
        metrics::gauge!("gateway_fineract_blocked", "reason" => reason).set(1);
        self.publish(FineractHealth::Unknown);
    }

    /// Ends the stop of sending that [`force_open`](Self::force_open) started.
    pub(in crate::worker) fn end_forced_open(&self) {
        let forced_open = self
            .forced_open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some((reason, _)) = forced_open {
            tracing::info!(
                reason,
                "the reason for which nothing was sent is resolved; sending resumed"
            );
            metrics::gauge!("gateway_fineract_blocked", "reason" => reason).set(0);
        }
        self.publish(FineractHealth::Unknown);
        self.changed.notify_one();
    }

    /// Notes an answer of Fineract. Returns whether the circuit was open because Fineract did not answer.
    pub(in crate::worker) fn note_answer(&self) -> bool {
        let was_away = self.lock().note_answer() == Some(UNREACHABLE);
        if was_away {
            self.close();
        }
        was_away
    }

    /// Notes a call without an answer. Too many in a row open the circuit.
    pub(in crate::worker) fn note_no_answer(&self) {
        let is_away = self.lock().note_no_answer();
        if is_away {
            self.open(UNREACHABLE);
        }
    }

    fn forced_open(&self) -> Option<ForcedOpen> {
        *self
            .forced_open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes Fineract's state. While the circuit is forced open, publishes the reason for that instead.
    fn publish(&self, health: FineractHealth) {
        let forced_open = self.forced_open();
        let health = forced_open.map_or(health, |(reason, since)| FineractHealth::Blocked {
            reason,
            since,
        });
        self.health.send_if_modified(|shown| {
            let differs = *shown != health;
            *shown = health;
            differs
        });
    }

    fn lock(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self {
            circuit: Arc::default(),
            changed: Arc::default(),
            health: watch::Sender::new(FineractHealth::Unknown),
            forced_open: Arc::default(),
        }
    }
}

/// Why nothing may be sent, and since when.
type ForcedOpen = (&'static str, DateTime<Utc>);

/// The permission to send. When the permit of a trial is dropped, the trial ends, regardless of its result.
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
