//! What this process holds: the leases it renews, and how busy each lender is.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    domain::OperationId,
    points::{self, Point},
    store::{Claimed, Store},
};

#[derive(Debug)]
struct Lease {
    attempt: i32,
    lender: Option<String>,
    renewed_at: Instant,
}

/// The operations this process holds. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases {
    leases: Arc<Mutex<HashMap<OperationId, Lease>>>,
}

/// One operation that is held; dropped, it is no longer renewed.
#[derive(Debug)]
pub(super) struct LeasedOperation {
    leases: Leases,
    id: OperationId,
    attempt: i32,
}

impl Drop for LeasedOperation {
    fn drop(&mut self) {
        let mut leases = self.leases.lock();
        if leases
            .get(&self.id)
            .is_some_and(|lease| lease.attempt == self.attempt)
        {
            leases.remove(&self.id);
        }
    }
}

impl Leases {
    fn lock(&self) -> MutexGuard<'_, HashMap<OperationId, Lease>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a claimed operation.
    pub(super) fn hold(&self, claimed: &Claimed) -> LeasedOperation {
        let lease = Lease {
            attempt: claimed.attempt,
            lender: claimed.lender.clone(),
            renewed_at: claimed.claimed_at,
        };
        self.lock().insert(claimed.id, lease);
        LeasedOperation {
            leases: self.clone(),
            id: claimed.id,
            attempt: claimed.attempt,
        }
    }

    /// Whether a lease has at least `time` left, by the monotonic clock.
    pub(super) fn has_left(&self, claimed: &Claimed, lease: Duration, time: Duration) -> bool {
        self.lock().get(&claimed.id).is_some_and(|leases| {
            leases.attempt == claimed.attempt && leases.renewed_at.elapsed() + time < lease
        })
    }

    /// How many operations are held of each lender that has any.
    pub(super) fn by_lender(&self) -> HashMap<String, i64> {
        let mut counts = HashMap::new();
        for lender in self
            .lock()
            .values()
            .filter_map(|leases| leases.lender.clone())
        {
            *counts.entry(lender).or_default() += 1;
        }
        counts
    }

    /// Renews all leases, three times in the life of one.
    pub(super) async fn keep_renewing(&self, store: &Store, lease: Duration) {
        loop {
            tokio::time::sleep(lease / 3).await;
            let leases: Vec<_> = self
                .lock()
                .iter()
                .map(|(id, lease)| (*id, lease.attempt))
                .collect();
            if leases.is_empty() {
                continue;
            }
            points::reach(Point::InLeaseRenewal, None);
            let asked_at = Instant::now();
            match store.renew(&leases, lease).await {
                Ok(renewed) => {
                    let mut leases = self.lock();
                    for id in renewed {
                        if let Some(lease) = leases.get_mut(&id) {
                            lease.renewed_at = asked_at;
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(
                        error = %crate::telemetry::chain(&error),
                        "leases could not be renewed; trying again before they run out"
                    );
                }
            }
        }
    }
}
