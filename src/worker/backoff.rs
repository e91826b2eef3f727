//! How long to wait before the next try.

use std::time::Duration;

/// The first delay, before jitter.
const SHORTEST: Duration = Duration::from_millis(500);
/// The longest delay, before jitter.
const LONGEST: Duration = Duration::from_mins(1);

/// The longest `Retry-After` that is believed.
const LONGEST_ASKED: Duration = Duration::from_mins(10);

/// A delay that grows with the time an operation has been troubled for, with full jitter: what failed
/// together does not come back together. Never less than Fineract asked for with `Retry-After`.
pub(super) fn delay(retrying_for: Duration, asked: Option<Duration>) -> Duration {
    let backoff = retrying_for.clamp(SHORTEST, LONGEST) * fastrand::u32(0..=1000) / 1000;
    let asked = asked.unwrap_or_default().min(LONGEST_ASKED);
    asked + backoff
}

/// Between half and the whole of a duration.
pub(super) fn jitter(whole: Duration) -> Duration {
    let half = whole / 2;
    half + half * fastrand::u32(0..=1000) / 1000
}
