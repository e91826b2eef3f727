//! Protects Fineract from overload: a circuit breaker, an adaptive concurrency limit and a retry budget.

mod circuit;
mod circuit_breaker;
mod concurrency_limit;
mod limiter;
mod retry_budget;

pub use self::circuit_breaker::CircuitBreaker;
pub(super) use self::{circuit_breaker::SendPermit, limiter::Limiter};
