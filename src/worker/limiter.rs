//! Who may call Fineract now: the adaptive limit, the retry budget and the gate together.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    gate::Gate,
    limit::{Limit, Sample},
    retry_budget::RetryBudget,
};
use crate::{
    domain::Failure,
    fineract::{Exchange, Observer},
};

/// Bounds the operations that call Fineract at once, by what their calls say.
///
/// A permit is for an operation, from its reads to its answer: it makes one call at a time, so that there
/// are never more calls than permits, reads among them.
#[derive(Debug)]
pub(super) struct Limiter {
    permits: Semaphore,
    state: Mutex<State>,
    gate: Gate,
}

#[derive(Debug)]
struct State {
    limit: Limit,
    in_flight: usize,
    /// Permits to take back when they are returned: the limit fell while they were out.
    overdrawn: usize,
    retries: RetryBudget,
}

/// Leave for one operation to call Fineract.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    limiter: &'a Limiter,
    permit: Option<SemaphorePermit<'a>>,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.limiter.lock();
        state.in_flight -= 1;
        metrics::gauge!("gateway_in_flight").set(gauge(state.in_flight));
        if state.overdrawn > 0 {
            state.overdrawn -= 1;
            if let Some(permit) = self.permit.take() {
                permit.forget();
            }
        }
    }
}

impl Limiter {
    /// A limiter that never lets more than `most` through at once.
    pub(super) fn new(most: usize, gate: Gate) -> Self {
        let limit = Limit::new(most);
        metrics::gauge!("gateway_in_flight_limit").set(gauge(limit.value()));
        Self {
            permits: Semaphore::new(limit.value()),
            state: Mutex::new(State {
                limit,
                in_flight: 0,
                overdrawn: 0,
                retries: RetryBudget::new(Instant::now()),
            }),
            gate,
        }
    }

    /// What learns from every call to Fineract.
    pub(super) fn observer(self: &Arc<Self>) -> Observer {
        let limiter = Arc::clone(self);
        Observer::new(move |exchange| limiter.learn(exchange))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many may be under way now.
    pub(super) fn limit(&self) -> usize {
        self.lock().limit.value()
    }

    /// Waits for its turn, in the order of arrival.
    pub(super) async fn acquire(&self) -> Permit<'_> {
        // The semaphore is never closed.
        let permit = self.permits.acquire().await.ok();
        let mut state = self.lock();
        state.in_flight += 1;
        metrics::gauge!("gateway_in_flight").set(gauge(state.in_flight));
        Permit {
            limiter: self,
            permit,
        }
    }

    /// Whether the budget has one more: of what is new all, of retries a share. The one trial of a blocked
    /// gate is free.
    pub(super) fn affords(&self, is_retry: bool) -> bool {
        let mut state = self.lock();
        if is_retry {
            !self.gate.is_open() || state.retries.spend(Instant::now())
        } else {
            state.retries.earn();
            true
        }
    }

    fn learn(&self, exchange: &Exchange<'_>) {
        let is_answer = match exchange.result {
            // A proxy answers these when Fineract does not.
            Ok(answer) => !matches!(answer.status, 502 | 504),
            Err(Failure::NotConnected | Failure::TimedOut | Failure::Closed) => false,
        };
        let is_back = if is_answer {
            self.gate.note_answer()
        } else {
            self.gate.note_silence();
            false
        };
        self.change(|limit, in_flight| {
            if is_back {
                limit.restart();
            }
            if let Some(sample) = sample(exchange) {
                limit.learn(sample, in_flight);
            }
        });
    }

    /// Changes the limit, and brings the permits in line with it.
    fn change(&self, change: impl FnOnce(&mut Limit, usize)) {
        let mut state = self.lock();
        let before = state.limit.value();
        let in_flight = state.in_flight;
        change(&mut state.limit, in_flight);
        let after = state.limit.value();
        if after > before {
            let added = after - before;
            let kept = state.overdrawn.min(added);
            state.overdrawn -= kept;
            self.permits.add_permits(added - kept);
        } else {
            let removed = before - after;
            state.overdrawn += removed - self.permits.forget_permits(removed);
        }
        if after != before {
            metrics::gauge!("gateway_in_flight_limit").set(gauge(after));
            tracing::debug!(before, after, "the limit of calls in flight");
        }
    }
}

/// What a call says about how much is too much: nothing, unless it was executed now, or was too much.
fn sample(exchange: &Exchange<'_>) -> Option<Sample> {
    match exchange.result {
        Ok(answer) if answer.cached => None,
        Ok(answer) => match answer.status {
            200..300 => Some(Sample::Took(exchange.kind, exchange.took)),
            409 | 429 | 503 | 504 => Some(Sample::TooMuch),
            _ => None,
        },
        Err(Failure::TimedOut) => Some(Sample::TooMuch),
        Err(Failure::NotConnected | Failure::Closed) => None,
    }
}

fn gauge(count: usize) -> f64 {
    u32::try_from(count).unwrap_or(u32::MAX).into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        domain::{Answer, Method},
        fineract::Kind,
    };

    fn learn(limiter: &Limiter, status: u16, times: usize) {
        let result = Ok(Answer {
            status,
            cached: false,
            body: String::new(),
            retry_after: None,
        });
        for _ in 0..times {
            limiter.learn(&Exchange {
                kind: Kind::of(Method::Post, "/loans"),
                took: Duration::from_millis(10),
                result: &result,
            });
        }
    }

    #[tokio::test]
    async fn permits_follow_the_limit_up_and_down() {
        let limiter = Limiter::new(32, Gate::default());
        let mut permits = Vec::new();
        for _ in 0..4 {
            permits.push(limiter.acquire().await);
        }
        assert_eq!(limiter.permits.available_permits(), 0);
        learn(&limiter, 200, 8);
        assert_eq!(
            (limiter.limit(), limiter.permits.available_permits()),
            (5, 1)
        );
        permits.push(limiter.acquire().await);

        learn(&limiter, 429, 1);
        assert_eq!(limiter.limit(), 2);
        permits.truncate(2);
        assert_eq!(
            limiter.permits.available_permits(),
            0,
            "two are out, two are allowed"
        );
        permits.truncate(1);
        assert_eq!(limiter.permits.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_cut_that_is_made_up_for_before_the_permits_return_costs_none() {
        let limiter = Limiter::new(4, Gate::default());
        let mut permits = Vec::new();
        for _ in 0..4 {
            permits.push(limiter.acquire().await);
        }
        learn(&limiter, 503, 1);
        assert_eq!(limiter.limit(), 2);
        learn(&limiter, 200, 3 + 8 + 8 + 8);
        assert_eq!(limiter.limit(), 4);
        permits.clear();
        assert_eq!(limiter.permits.available_permits(), 4);
    }
}
