//! How many may call Fineract at once, whoever sets the limit.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore, SemaphorePermit};

/// Bounds what calls Fineract at once.
///
/// A permit is for one that makes one call after another: there are never more calls than permits.
/// Operations wait for theirs in the order of arrival; reads for somebody who looks take only what no
/// operation waits for.
#[derive(Debug)]
pub struct Permits {
    semaphore: Semaphore,
    state: Mutex<State>,
    /// Told whenever there may be one that no operation waits for.
    freed: Notify,
}

#[derive(Debug)]
struct State {
    limit: usize,
    in_flight: usize,
    /// Permits to take back when they are returned: the limit fell while they were out.
    overdrawn: usize,
}

/// Leave to call Fineract.
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
        if state.overdrawn > 0 {
            state.overdrawn -= 1;
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
    /// So many at once.
    pub fn new(limit: usize) -> Self {
        metrics::gauge!("gateway_in_flight_limit").set(gauge(limit));
        Self {
            semaphore: Semaphore::new(limit),
            state: Mutex::new(State {
                limit,
                in_flight: 0,
                overdrawn: 0,
            }),
            freed: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are out.
    pub fn in_flight(&self) -> usize {
        self.lock().in_flight
    }

    /// From now on so many: those that are out stay out.
    pub fn set_limit(&self, limit: usize) {
        let mut state = self.lock();
        let before = std::mem::replace(&mut state.limit, limit);
        if limit > before {
            let added = limit - before;
            let kept = state.overdrawn.min(added);
            state.overdrawn -= kept;
            self.semaphore.add_permits(added - kept);
            self.freed.notify_waiters();
        } else {
            let removed = before - limit;
            state.overdrawn += removed - self.semaphore.forget_permits(removed);
        }
        if limit != before {
            metrics::gauge!("gateway_in_flight_limit").set(gauge(limit));
            tracing::debug!(before, after = limit, "the limit of calls in flight");
        }
    }

    /// Waits for its turn, in the order of arrival.
    pub async fn acquire(&self) -> Permit<'_> {
        // The semaphore is never closed.
        let permit = self.semaphore.acquire().await.ok();
        self.given(permit)
    }

    /// Waits for one that nobody waits for in order: what is freed goes to those first.
    pub async fn acquire_spare(&self) -> Permit<'_> {
        loop {
            let freed = self.freed.notified();
            if let Ok(permit) = self.semaphore.try_acquire() {
                return self.given(Some(permit));
            }
            freed.await;
        }
    }

    fn given<'a>(&'a self, permit: Option<SemaphorePermit<'a>>) -> Permit<'a> {
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
    async fn they_follow_the_limit_up_and_down() {
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
        assert_eq!(permits.free(), 0, "two are out, two are allowed");
        out.truncate(1);
        assert_eq!((permits.free(), permits.in_flight()), (1, 1));
    }

    #[tokio::test]
    async fn a_cut_that_is_made_up_for_before_they_return_costs_none() {
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
    async fn a_spare_one_is_what_no_operation_waits_for() {
        let permits = Permits::new(1);
        let out = permits.acquire().await;
        let mut read = pin!(permits.acquire_spare());
        assert!(read.as_mut().now_or_never().is_none());
        // The read was there first; the operation is served first.
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
