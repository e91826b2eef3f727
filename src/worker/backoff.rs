//! The delay before the next attempt.

use std::time::Duration;

/// The shortest upper bound of the random delay.
const SHORTEST: Duration = Duration::from_millis(500);
/// The longest upper bound of the random delay.
const LONGEST: Duration = Duration::from_mins(1);

/// The longest `Retry-After` that the gateway follows.
const LONGEST_ASKED: Duration = Duration::from_mins(10);

/// A random delay whose upper bound grows with the time for which the operation has been retried. Full jitter
/// keeps operations that failed together from returning together. At least the delay that Fineract requested
/// with `Retry-After`.
pub(super) fn delay(retrying_for: Duration, asked: Option<Duration>) -> Duration {
    let backoff = retrying_for.clamp(SHORTEST, LONGEST) * fastrand::u32(0..=1000) / 1000;
    let asked = asked.unwrap_or_default().min(LONGEST_ASKED);
    asked + backoff
}

/// A random duration between half of `whole` and `whole`.
pub(super) fn jitter(whole: Duration) -> Duration {
    let half = whole / 2;
    half + half * fastrand::u32(0..=1000) / 1000
}
