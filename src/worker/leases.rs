//! The leases of this process: renews them, and counts the leased operations of each lender.

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

/// The leases of the operations that this process has claimed. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases {
    leases: Arc<Mutex<HashMap<OperationId, Lease>>>,
}

impl Leases {
    /// Adds the lease of a claimed operation. The lease is renewed until the returned value is dropped.
    pub(super) fn add(&self, claimed: &Claimed) -> LeasedOperation {
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

    /// Whether the lease of an operation is still valid for at least `time`, by the monotonic clock. `lease` is the
    /// duration of a lease.
    pub(super) fn has_time_left(&self, claimed: &Claimed, lease: Duration, time: Duration) -> bool {
        self.lock().get(&claimed.id).is_some_and(|leased| {
            leased.attempt == claimed.attempt && leased.renewed_at.elapsed() + time < lease
        })
    }

    /// For each lender with leased operations, the number of these operations.
    pub(super) fn count_by_lender(&self) -> HashMap<String, i64> {
        let mut counts = HashMap::new();
        for lender in self
            .lock()
            .values()
            .filter_map(|lease| lease.lender.clone())
        {
            *counts.entry(lender).or_default() += 1;
        }
        counts
    }

    /// Renews all leases, at intervals of a third of their duration. Never returns.
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
                        "leases could not be renewed; trying again before they expire"
                    );
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OperationId, Lease>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A leased operation. When dropped, its lease is no longer renewed.
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

#[derive(Debug)]
struct Lease {
    attempt: i32,
    lender: Option<String>,
    renewed_at: Instant,
}
