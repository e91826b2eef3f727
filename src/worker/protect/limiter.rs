//! Decides who may call Fineract now, by the concurrency limit, the retry budget and the circuit breaker.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
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

/// Calls that take less than this time take less than a commit. No real Fineract is so fast: its own commits take longer.
const FAST_CALL: Duration = Duration::from_millis(4);
/// Each call moves the smoothed duration by this fraction (1/8) of the difference.
const SMOOTHING: u32 = 8;

/// Limits how many operations call Fineract at the same time, and adapts the limit to the calls' results.
///
/// An operation holds a permit from its reads to its answer. A caller's read of balances takes a permit only if no
/// operation waits for one. The limit adapts to the results of these reads too.
#[derive(Debug)]
pub(in crate::worker) struct Limiter {
    permits: Arc<Permits>,
    state: Mutex<State>,
    circuit_breaker: CircuitBreaker,
}

impl Limiter {
    /// A limiter that never allows more than `max` operations at the same time.
    pub(in crate::worker) fn new(max: usize, circuit_breaker: CircuitBreaker) -> Self {
        let limit = ConcurrencyLimit::new(max);
        Self {
            permits: Arc::new(Permits::new(limit.value())),
            state: Mutex::new(State {
                limit,
                retries: RetryBudget::new(Instant::now()),
                recent_call: FAST_CALL,
            }),
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
        self.lock().limit.value()
    }

    /// The permits, for callers' reads. Such a read waits until no operation needs a permit.
    pub(in crate::worker) fn permits(&self) -> &Arc<Permits> {
        &self.permits
    }

    /// Whether Fineract answers faster at present than the database commits. A permit that is kept during a commit then
    /// keeps Fineract idle.
    pub(in crate::worker) fn is_faster_than_a_commit(&self) -> bool {
        self.lock().recent_call < FAST_CALL
    }

    /// Waits for a permit, in the order of arrival.
    pub(in crate::worker) async fn acquire(&self) -> Permit<'_> {
        self.permits.acquire().await
    }

    /// Whether the retry budget allows this attempt. First attempts are always allowed. While the circuit breaker
    /// is open, its trial is allowed too.
    pub(in crate::worker) fn allows(&self, is_retry: bool) -> bool {
        let mut state = self.lock();
        if is_retry {
            !self.circuit_breaker.is_closed() || state.retries.spend(Instant::now())
        } else {
            state.retries.earn();
            true
        }
    }

    fn learn(&self, exchange: &Exchange<'_>) {
        let is_answer = match exchange.result {
            // A proxy sends 502 or 504 if Fineract does not answer.
            Ok(answer) => !matches!(answer.status, 502 | 504),
            Err(Failure::NotSent | Failure::NotConnected | Failure::TimedOut | Failure::Closed) => {
                false
            }
        };
        let is_back = if is_answer {
            self.circuit_breaker.note_answer()
        } else {
            self.circuit_breaker.note_no_answer();
            false
        };
        let mut state = self.lock();
        if is_back {
            state.limit.restart();
        }
        if let Some(sample) = sample(exchange) {
            state.limit.learn(sample, self.permits.in_flight());
        }
        self.permits.set_limit(state.limit.value());
        let before = state.recent_call.saturating_mul(SMOOTHING - 1);
        state.recent_call = before.saturating_add(exchange.took) / SMOOTHING;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct State {
    limit: ConcurrencyLimit,
    retries: RetryBudget,
    /// The smoothed duration of the last calls.
    recent_call: Duration,
}

/// What a call shows about the load. `None` if the call shows nothing: Fineract did not execute it, or returned a
/// stored answer, and there is no sign of overload.
fn sample(exchange: &Exchange<'_>) -> Option<Sample> {
    match exchange.result {
        Ok(answer) if answer.cached => None,
        Ok(answer) => match answer.status {
            200..300 => Some(Sample::Took(exchange.kind, exchange.took)),
            409 | 429 | 503 | 504 => Some(Sample::TooMuch),
            _ => None,
        },
        Err(Failure::TimedOut) => Some(Sample::TooMuch),
        Err(Failure::NotSent | Failure::NotConnected | Failure::Closed) => None,
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
        learn_took(limiter, status, Duration::from_millis(10), times);
    }

    fn learn_took(limiter: &Limiter, status: u16, took: Duration, times: usize) {
        let result = Ok(Answer {
            status,
            cached: false,
            body: String::new(),
            retry_after: None,
        });
        for _ in 0..times {
            limiter.learn(&Exchange {
                kind: Kind::of(Method::Post, "/loans"),
                took,
                result: &result,
            });
        }
    }

    #[test]
    fn fineract_is_faster_than_a_commit_only_while_its_last_calls_are() {
        let limiter = Limiter::new(32, CircuitBreaker::default());
        assert!(!limiter.is_faster_than_a_commit(), "nothing is known yet");
        for (took, times, expected) in [
            (1, 8, true),
            (10, 8, false),
            (1, 20, true),
            (1_000, 1, false),
        ] {
            learn_took(&limiter, 200, Duration::from_millis(took), times);
            assert_eq!(
                limiter.is_faster_than_a_commit(),
                expected,
                "{took} ms, {times} times"
            );
        }
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
        assert!(
            third.is_none(),
            "two permits are in use, and the limit is two"
        );
    }
}
