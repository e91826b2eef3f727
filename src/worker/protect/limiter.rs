//! Who may call Fineract now: the adaptive limit, the retry budget and the gate together.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use super::{
    circuit_breaker::CircuitBreaker,
    concurrency_limit::{ConcurrencyLimit, Sample},
    retry_budget::RetryBudget,
};
use crate::{
    domain::Failure,
    fineract::{Exchange, Observer, Permit, Permits},
};

/// Bounds the operations that call Fineract at once, by what their calls say.
///
/// A permit is for an operation, from its reads to its answer. The reads of callers that look at balances
/// take what no operation waits for, and are learnt from like all others.
#[derive(Debug)]
pub(in crate::worker) struct Limiter {
    permits: Arc<Permits>,
    state: Mutex<State>,
    circuit_breaker: CircuitBreaker,
}

#[derive(Debug)]
struct State {
    limit: ConcurrencyLimit,
    retries: RetryBudget,
}

impl Limiter {
    /// A limiter that never lets more than `most` through at once.
    pub(in crate::worker) fn new(most: usize, circuit_breaker: CircuitBreaker) -> Self {
        let limit = ConcurrencyLimit::new(most);
        Self {
            permits: Arc::new(Permits::new(limit.value())),
            state: Mutex::new(State {
                limit,
                retries: RetryBudget::new(Instant::now()),
            }),
            circuit_breaker,
        }
    }

    /// What learns from every call to Fineract.
    pub(in crate::worker) fn observer(self: &Arc<Self>) -> Observer {
        let limiter = Arc::clone(self);
        Observer::new(move |exchange| limiter.learn(exchange))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many may be under way now.
    pub(in crate::worker) fn limit(&self) -> usize {
        self.lock().limit.value()
    }

    /// The permits, for those that do not go first.
    pub(in crate::worker) fn permits(&self) -> &Arc<Permits> {
        &self.permits
    }

    /// Waits for its turn, in the order of arrival.
    pub(in crate::worker) async fn acquire(&self) -> Permit<'_> {
        self.permits.acquire().await
    }

    /// Whether the budget has one more: of what is new all, of retries a share. The one trial of a blocked
    /// gate is free.
    pub(in crate::worker) fn affords(&self, is_retry: bool) -> bool {
        let mut state = self.lock();
        if is_retry {
            !self.circuit_breaker.is_open() || state.retries.spend(Instant::now())
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
            self.circuit_breaker.note_answer()
        } else {
            self.circuit_breaker.note_silence();
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
    fn change(&self, change: impl FnOnce(&mut ConcurrencyLimit, usize)) {
        let mut state = self.lock();
        change(&mut state.limit, self.permits.in_flight());
        self.permits.set_limit(state.limit.value());
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;

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
    async fn the_permits_follow_what_is_learnt() {
        let limiter = Limiter::new(32, CircuitBreaker::default());
        let mut out = Vec::new();
        for _ in 0..4 {
            out.push(limiter.acquire().await);
        }
        learn(&limiter, 200, 8);
        assert_eq!(limiter.limit(), 5);
        out.push(limiter.acquire().await);
        learn(&limiter, 429, 1);
        assert_eq!(limiter.limit(), 2);
        out.truncate(1);
        let second = limiter.acquire().now_or_never();
        assert!(second.is_some());
        let third = limiter.acquire().now_or_never();
        assert!(third.is_none(), "two are out, two are allowed");
    }
}
