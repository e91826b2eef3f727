//! What protects Fineract from its callers: a circuit breaker, a concurrency limit and a retry budget.

mod circuit;
mod circuit_breaker;
mod concurrency_limit;
mod limiter;
mod retry_budget;

pub use self::circuit_breaker::CircuitBreaker;
pub(super) use self::{circuit_breaker::SendPermit, limiter::Limiter};
