//! Whether Fineract takes anything at all: open, or blocked and why. The breaker.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, watch};

use super::{breaker::Breaker, pace};
use crate::{domain::FineractHealth, telemetry::wall_clock};

/// The reason of a gate that was shut because nothing came back.
pub(super) const UNREACHABLE: &str = "fineract_unreachable";

/// The gate in front of Fineract. Blocked, it lets one real operation through after a time that grows; the
/// first that is answered as it should be opens it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gate {
    breaker: Arc<Mutex<Breaker>>,
    changed: Arc<Notify>,
    health: watch::Sender<FineractHealth>,
    /// Why nothing may be sent whatever Fineract answers, and since when.
    shut: Arc<Mutex<Option<Shut>>>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            breaker: Arc::default(),
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
pub(super) struct Pass {
    trial_of: Option<Gate>,
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(gate) = &self.trial_of {
            gate.lock().end_trial();
        }
    }
}

impl Gate {
    /// What is known of Fineract's state.
    pub fn health(&self) -> watch::Receiver<FineractHealth> {
        self.health.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many of `free` places may be filled now.
    pub(super) fn admits(&self, free: usize) -> usize {
        if self.shut_for().is_some() {
            return 0;
        }
        let breaker = self.lock();
        if breaker.is_closed() {
            free
        } else if breaker.may_try(Instant::now()) {
            free.min(1)
        } else {
            0
        }
    }

    /// Whether everything may be sent.
    pub(super) fn is_open(&self) -> bool {
        self.lock().is_closed()
    }

    /// Leave to send one operation now; blocked, only the next trial gets it.
    pub(super) fn enter(&self) -> Option<Pass> {
        if self.shut_for().is_some() {
            return None;
        }
        let mut breaker = self.lock();
        if breaker.is_closed() {
            return Some(Pass { trial_of: None });
        }
        breaker.start_trial(Instant::now()).then(|| Pass {
            trial_of: Some(self.clone()),
        })
    }

    /// Waits until the gate has opened.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Fineract answered as it should.
    pub(super) fn open(&self) {
        if let Some(reason) = self.lock().close() {
            tracing::info!(reason, "Fineract takes operations again");
            metrics::gauge!("gateway_fineract_blocked", "reason" => reason).set(0);
            self.changed.notify_one();
        }
        self.show(FineractHealth::Open);
    }

    /// Sends nothing until [`readmit`](Self::readmit), whatever Fineract answers.
    pub(super) fn shut(&self, reason: &'static str) {
        *self.shut.lock().unwrap_or_else(PoisonError::into_inner) = Some((reason, wall_clock()));
        tracing::error!(
            reason,
            "nothing is sent to Fineract until an operator has looked"
        );
        metrics::gauge!("gateway_fineract_blocked", "reason" => reason).set(1);
        self.show(FineractHealth::Unknown);
    }

    /// What [`shut`](Self::shut) it is over.
    pub(super) fn readmit(&self) {
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
    pub(super) fn block(&self, reason: &'static str) {
        let mut breaker = self.lock();
        let before = breaker.reason();
        if !breaker.open(reason, Instant::now(), pace::jitter) || before == Some(reason) {
            return;
        }
        drop(breaker);
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
    pub(super) fn note_answer(&self) -> bool {
        let was_away = self.lock().note_answer() == Some(UNREACHABLE);
        if was_away {
            self.open();
        }
        was_away
    }

    /// Nothing came back from Fineract. Often enough in a row, it is away.
    pub(super) fn note_silence(&self) {
        let is_away = self.lock().note_silence();
        if is_away {
            self.block(UNREACHABLE);
        }
    }
}
