//! Permits, which limit how many calls to Fineract are in flight.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore, SemaphorePermit};

/// Limits the number of calls to Fineract that are in flight.
///
/// The holder of a permit makes one call at a time, so there are never more calls than permits. Operations get their
/// permits in the order of arrival. A read for a waiting caller gets a permit only if no operation waits for one.
#[derive(Debug)]
pub struct Permits {
    semaphore: Semaphore,
    state: Mutex<State>,
    /// Notified whenever there may be a permit for which no operation waits.
    freed: Notify,
}

#[derive(Debug)]
struct State {
    limit: usize,
    in_flight: usize,
    /// How many permits are withdrawn when they are returned, because the limit was lowered while they were in use.
    to_withdraw: usize,
}

/// The permission to make one call to Fineract at a time.
#[derive(Debug)]
pub struct Permit<'a> {
    permits: &'a Permits,
    permit: Option<SemaphorePermit<'a>>,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.permits.lock();
        state.in_flight -= 1;
        metrics::gauge!("gateway_in_flight").set(gauge(state.in_flight));
        let permit = self.permit.take();
        if state.to_withdraw > 0 {
            state.to_withdraw -= 1;
            if let Some(permit) = permit {
                permit.forget();
            }
        } else {
            drop(permit);
            self.permits.freed.notify_waiters();
        }
    }
}

impl Permits {
    /// Creates `limit` permits.
    pub fn new(limit: usize) -> Self {
        metrics::gauge!("gateway_in_flight_limit").set(gauge(limit));
        Self {
            semaphore: Semaphore::new(limit),
            state: Mutex::new(State {
                limit,
                in_flight: 0,
                to_withdraw: 0,
            }),
            freed: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of permits in use.
    pub fn in_flight(&self) -> usize {
        self.lock().in_flight
    }

    /// Whether a permit is free.
    pub fn has_free(&self) -> bool {
        self.semaphore.available_permits() > 0
    }

    /// Changes the limit. Permits in use stay valid.
    pub fn set_limit(&self, limit: usize) {
        let mut state = self.lock();
        let before = std::mem::replace(&mut state.limit, limit);
        if limit > before {
            let added = limit - before;
            let kept = state.to_withdraw.min(added);
            state.to_withdraw -= kept;
            self.semaphore.add_permits(added - kept);
            self.freed.notify_waiters();
        } else {
            let removed = before - limit;
            state.to_withdraw += removed - self.semaphore.forget_permits(removed);
        }
        if limit != before {
            metrics::gauge!("gateway_in_flight_limit").set(gauge(limit));
            tracing::debug!(before, after = limit, "the concurrency limit has changed");
        }
    }

    /// Waits for a permit, in the order of arrival.
    pub async fn acquire(&self) -> Permit<'_> {
        // Nobody closes the semaphore, so this always succeeds.
        let permit = self.semaphore.acquire().await.ok();
        self.grant(permit)
    }

    /// Waits for a permit for which no operation waits. Waiting operations get a returned permit first.
    pub async fn acquire_spare(&self) -> Permit<'_> {
        loop {
            let freed = self.freed.notified();
            if let Ok(permit) = self.semaphore.try_acquire() {
                return self.grant(Some(permit));
            }
            freed.await;
        }
    }

    fn grant<'a>(&'a self, permit: Option<SemaphorePermit<'a>>) -> Permit<'a> {
        let mut state = self.lock();
        state.in_flight += 1;
        metrics::gauge!("gateway_in_flight").set(gauge(state.in_flight));
        Permit {
            permits: self,
            permit,
        }
    }
}

fn gauge(count: usize) -> f64 {
    u32::try_from(count).unwrap_or(u32::MAX).into()
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;

    use super::*;

    impl Permits {
        fn free(&self) -> usize {
            self.semaphore.available_permits()
        }
    }

    #[tokio::test]
    async fn permits_follow_the_limit_up_and_down() {
        let permits = Permits::new(4);
        let mut out = Vec::new();
        for _ in 0..4 {
            out.push(permits.acquire().await);
        }
        assert_eq!(permits.free(), 0);
        permits.set_limit(5);
        assert_eq!(permits.free(), 1);
        out.push(permits.acquire().await);

        permits.set_limit(2);
        out.truncate(2);
        assert_eq!(
            permits.free(),
            0,
            "two permits are in use, and the limit is two"
        );
        out.truncate(1);
        assert_eq!((permits.free(), permits.in_flight()), (1, 1));
    }

    #[tokio::test]
    async fn a_limit_that_rises_again_before_permits_return_withdraws_none() {
        let permits = Permits::new(4);
        let mut out = Vec::new();
        for _ in 0..4 {
            out.push(permits.acquire().await);
        }
        permits.set_limit(2);
        permits.set_limit(4);
        out.clear();
        assert_eq!(permits.free(), 4);
    }

    #[tokio::test]
    async fn a_spare_permit_is_one_for_which_no_operation_waits() {
        let permits = Permits::new(1);
        let out = permits.acquire().await;
        let mut read = pin!(permits.acquire_spare());
        assert!(read.as_mut().now_or_never().is_none());
        // The read was first, but the operation is served first.
        let mut operation = pin!(permits.acquire());
        assert!(operation.as_mut().now_or_never().is_none());
        drop(out);
        assert!(read.as_mut().now_or_never().is_none());
        let out = operation.as_mut().now_or_never().expect("its turn");
        assert!(read.as_mut().now_or_never().is_none());
        drop(out);
        let out = read.as_mut().now_or_never().expect("nobody else waits");
        assert_eq!(permits.in_flight(), 1);

        let mut next = pin!(permits.acquire_spare());
        assert!(next.as_mut().now_or_never().is_none());
        permits.set_limit(2);
        assert!(
            next.as_mut().now_or_never().is_some(),
            "the limit has risen"
        );
        drop(out);
    }
}
