//! Whether Fineract takes anything at all: open, or blocked and why.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Notify, watch};

use crate::{domain::FineractHealth, telemetry::wall_clock};

/// How long a blocked gate waits between two operations that may open it.
const TRIAL_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Blockage {
    next_trial: Instant,
}

/// The gate in front of Fineract. Blocked, it lets one real operation through from time to time; the
/// first that is answered as it should be opens it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gate {
    blockage: Arc<Mutex<Option<Blockage>>>,
    changed: Arc<Notify>,
    health: watch::Sender<FineractHealth>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            blockage: Arc::default(),
            changed: Arc::default(),
            health: watch::Sender::new(FineractHealth::Unknown),
        }
    }
}

impl Gate {
    /// What is known of Fineract's state.
    pub fn health(&self) -> watch::Receiver<FineractHealth> {
        self.health.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Blockage>> {
        self.blockage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many of `free` places may be used now.
    pub(super) fn admits(&self, free: usize) -> usize {
        match self.lock().as_mut() {
            None => free,
            Some(blockage) if blockage.next_trial <= Instant::now() => {
                blockage.next_trial = Instant::now() + TRIAL_EVERY;
                free.min(1)
            }
            Some(_) => 0,
        }
    }

    /// Waits until the gate has opened.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Fineract answered as it should.
    pub(super) fn open(&self) {
        if self.lock().take().is_some() {
            tracing::info!("Fineract takes operations again");
            self.changed.notify_one();
        }
        self.health.send_if_modified(|health| {
            let opens = *health != FineractHealth::Open;
            *health = FineractHealth::Open;
            opens
        });
    }

    /// Fineract takes nothing of us: stop sending, keep everything waiting, say so.
    pub(super) fn block(&self, reason: &'static str) {
        let mut blockage = self.lock();
        if blockage.is_none() {
            tracing::error!(reason, "Fineract takes nothing: operations wait");
            self.health.send_replace(FineractHealth::Blocked {
                reason,
                since: wall_clock(),
            });
        }
        *blockage = Some(Blockage {
            next_trial: Instant::now() + TRIAL_EVERY,
        });
    }
}
