//! How long to wait before the next try.

use std::time::Duration;

/// The first delay, before jitter.
const SHORTEST: Duration = Duration::from_millis(500);
/// The longest delay, before jitter.
const LONGEST: Duration = Duration::from_mins(1);

/// A delay that doubles with the time an operation has been troubled for, with jitter.
pub(super) fn delay(troubled_for: Duration, asked: Option<Duration>) -> Duration {
    let backoff = jitter(troubled_for.clamp(SHORTEST, LONGEST));
    asked.map_or(backoff, |asked| asked.min(LONGEST).max(backoff))
}

/// Between half and the whole of a duration.
pub(super) fn jitter(whole: Duration) -> Duration {
    let half = whole / 2;
    half + half * fastrand::u32(0..=1000) / 1000
}
