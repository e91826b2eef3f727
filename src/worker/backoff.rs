//! The delay before the next attempt.

use std::time::Duration;

/// The random delay lies between zero and an upper bound. This is the lowest value of the upper bound.
const SHORTEST: Duration = Duration::from_millis(500);
/// The highest value of the upper bound.
const LONGEST: Duration = Duration::from_mins(1);

/// The longest `Retry-After` that the gateway follows.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(10);

/// The delay that Fineract requested with `Retry-After`, plus a random delay. The upper bound of the random delay
/// grows with the time for which the operation has been retried. Because the delay is random, operations that
/// failed together are not tried again together.
pub(super) fn delay(retrying_for: Duration, retry_after: Option<Duration>) -> Duration {
    let backoff = retrying_for.clamp(SHORTEST, LONGEST) * fastrand::u32(0..=1000) / 1000;
    let retry_after = retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
    retry_after + backoff
}

/// A random duration between half of `whole` and `whole`.
pub(super) fn jitter(whole: Duration) -> Duration {
    let half = whole / 2;
    half + half * fastrand::u32(0..=1000) / 1000
}
