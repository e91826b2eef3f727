//! Decides who may call Fineract now, by the concurrency limit, the retry budget and the circuit breaker.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tower::retry::budget::{Budget as _, TpsBudget};

use super::{
    circuit_breaker::CircuitBreaker,
    concurrency_limit::{ConcurrencyLimit, Sample},
};
use crate::{
    domain::Failure,
    fineract::{Exchange, Observer, Permit, Permits},
};

/// The retry budget counts the attempts of this period.
const BUDGET_PERIOD: Duration = Duration::from_secs(4);
/// So many retries a second are always allowed, on average over the period: what has failed is tried again even when
/// nothing new arrives.
const RETRIES_PER_SECOND: u32 = 5;
/// For each first attempt so many retries are allowed beside them. If everything is retried, sending more helps nobody.
const RETRIES_PER_NEW: f32 = 0.2;

/// Limits how many operations call Fineract at the same time, and adapts the limit to the calls' results.
///
/// An operation holds a permit from its reads to its answer. Callers' reads of balances take only permits that
/// no operation waits for; their results count like all others.
#[derive(Debug)]
pub(in crate::worker) struct Limiter {
    permits: Arc<Permits>,
    limit: Mutex<ConcurrencyLimit>,
    retries: TpsBudget,
    circuit_breaker: CircuitBreaker,
}

impl Limiter {
    /// A limiter that never allows more than `max` operations at the same time.
    pub(in crate::worker) fn new(max: usize, circuit_breaker: CircuitBreaker) -> Self {
        let limit = ConcurrencyLimit::new(max);
        Self {
            permits: Arc::new(Permits::new(limit.value())),
            limit: Mutex::new(limit),
            retries: TpsBudget::new(BUDGET_PERIOD, RETRIES_PER_SECOND, RETRIES_PER_NEW),
            circuit_breaker,
        }
    }

    /// The observer through which the limiter learns from every call to Fineract.
    pub(in crate::worker) fn observer(self: &Arc<Self>) -> Observer {
        let limiter = Arc::clone(self);
        Observer::new(move |exchange| limiter.learn(exchange))
    }

    /// The current concurrency limit.
    pub(in crate::worker) fn limit(&self) -> usize {
        self.lock().value()
    }

    /// The permits, for callers' reads, which wait until no operation needs one.
    pub(in crate::worker) fn permits(&self) -> &Arc<Permits> {
        &self.permits
    }

    /// Waits for a permit, in the order of arrival.
    pub(in crate::worker) async fn acquire(&self) -> Permit<'_> {
        self.permits.acquire().await
    }

    /// Whether the retry budget allows this attempt. A first attempt is always allowed. So is the trial while
    /// the circuit breaker is open.
    pub(in crate::worker) fn allows(&self, is_retry: bool) -> bool {
        if is_retry {
            !self.circuit_breaker.is_closed() || self.retries.withdraw()
        } else {
            self.retries.deposit();
            true
        }
    }

    fn learn(&self, exchange: &Exchange<'_>) {
        let is_answer = match exchange.result {
            // A proxy answers these if Fineract does not answer.
            Ok(answer) => !matches!(answer.status, 502 | 504),
            Err(Failure::NotConnected | Failure::TimedOut | Failure::Closed) => false,
        };
        let is_back = if is_answer {
            self.circuit_breaker.note_answer()
        } else {
            self.circuit_breaker.note_no_answer();
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

    /// Changes the limit, and adjusts the permits to it.
    fn change(&self, change: impl FnOnce(&mut ConcurrencyLimit, usize)) {
        let mut limit = self.lock();
        change(&mut limit, self.permits.in_flight());
        self.permits.set_limit(limit.value());
    }

    fn lock(&self) -> MutexGuard<'_, ConcurrencyLimit> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a call shows about the load. Only a call that was executed now, or that was refused as too much, shows
/// anything.
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

    #[test]
    fn retries_are_a_fifth_of_first_attempts_and_a_few_a_second() {
        let limiter = Limiter::new(32, CircuitBreaker::default());
        let retries = || (0..1000).filter(|_| limiter.allows(true)).count();
        assert_eq!(retries(), 20, "those of four seconds at once");
        (0..4).for_each(|_| assert!(limiter.allows(false)));
        assert_eq!(retries(), 0);
        assert!(limiter.allows(false));
        assert_eq!(retries(), 1);
    }

    #[tokio::test]
    async fn the_permits_follow_the_limit() {
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
