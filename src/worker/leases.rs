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
pub(super) struct Leases(Arc<Mutex<Leased>>);

#[derive(Debug, Default)]
struct Leased {
    leases: HashMap<OperationId, Lease>,
    /// For each lender, how many operations are offered to be claimed on acceptance.
    offered: HashMap<String, i64>,
}

impl Leases {
    /// Adds the lease of a claimed operation. The lease is renewed until the returned value is dropped.
    pub(super) fn add(&self, claimed: &Claimed) -> LeasedOperation {
        let lease = Lease {
            attempt: claimed.attempt,
            lender: claimed.lender.clone(),
            renewed_at: claimed.claimed_at,
        };
        self.lock().leases.insert(claimed.id, lease);
        LeasedOperation {
            leases: self.clone(),
            id: claimed.id,
            attempt: claimed.attempt,
        }
    }

    /// Whether the lease of an operation is still valid for at least `time`, by the monotonic clock. `lease` is the
    /// duration of a lease.
    pub(super) fn has_time_left(&self, claimed: &Claimed, lease: Duration, time: Duration) -> bool {
        self.lock().leases.get(&claimed.id).is_some_and(|leased| {
            leased.attempt == claimed.attempt && leased.renewed_at.elapsed() + time < lease
        })
    }

    /// For each lender with leased or offered operations, the number of these operations.
    pub(super) fn count_by_lender(&self) -> HashMap<String, i64> {
        self.lock().count_by_lender()
    }

    /// Counts an operation as leased that is only offered to be claimed, unless its lender has `most` operations
    /// already. It is counted until the returned value is dropped.
    pub(super) fn offer(&self, lender: &str, most: i64) -> Option<OfferedOperation> {
        let mut leased = self.lock();
        if leased.count_by_lender().get(lender).unwrap_or(&0) >= &most {
            return None;
        }
        *leased.offered.entry(lender.to_owned()).or_default() += 1;
        Some(OfferedOperation {
            leases: self.clone(),
            lender: lender.to_owned(),
        })
    }

    /// Renews all leases, at intervals of a third of their duration. Never returns.
    pub(super) async fn keep_renewing(&self, store: &Store, lease: Duration) {
        loop {
            tokio::time::sleep(lease / 3).await;
            let leases: Vec<_> = self
                .lock()
                .leases
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
                    let mut state = self.lock();
                    for id in renewed {
                        if let Some(lease) = state.leases.get_mut(&id) {
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

    fn lock(&self) -> MutexGuard<'_, Leased> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leased {
    fn count_by_lender(&self) -> HashMap<String, i64> {
        let mut counts = self.offered.clone();
        let lenders = self.leases.values();
        for lender in lenders.filter_map(|lease| lease.lender.clone()) {
            *counts.entry(lender).or_default() += 1;
        }
        counts
    }
}

/// An operation of a lender that is offered to be claimed on acceptance.
#[derive(Debug)]
pub(super) struct OfferedOperation {
    leases: Leases,
    lender: String,
}

impl Drop for OfferedOperation {
    fn drop(&mut self) {
        let mut leased = self.leases.lock();
        if let Some(count) = leased.offered.get_mut(&self.lender) {
            *count -= 1;
        }
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
        let leases = &mut self.leases.lock().leases;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_operations_of_a_lender_are_offered_than_it_may_have() {
        let leases = Leases::default();
        let first = leases.offer("A", 2).expect("A has none");
        let second = leases.offer("A", 2).expect("A has one");
        assert!(leases.offer("A", 2).is_none());
        assert!(leases.offer("B", 2).is_some());
        assert_eq!(leases.count_by_lender()["A"], 2);
        drop(first);
        assert!(leases.offer("A", 2).is_some());
        drop(second);
        assert_eq!(leases.count_by_lender()["A"], 0);
    }
}
