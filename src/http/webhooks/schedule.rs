//! When a delivery is tried again, and how long an endpoint is left alone.

use std::time::Duration;

/// The pauses after the first failed try, the second, and so on, as in the Standard Webhooks specification. After the
/// last one, the delivery is given up.
const PAUSES: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];

/// After this many failures in a row, only one delivery at a time is tried.
pub(super) const IN_TROUBLE: u32 = 5;

/// The shortest and the longest pause between two tries to an endpoint.
const SHORTEST: Duration = Duration::from_secs(5);
pub(super) const LONGEST: Duration = Duration::from_mins(5);

/// The pause before the next try of a delivery of which this many tries have failed before; `None`: it is given up.
pub(super) fn next_try(failed_before: usize, retry_after: Option<Duration>) -> Option<Duration> {
    let pause = PAUSES.get(failed_before)?;
    // Deliveries that failed together are not tried again together.
    let pause = *pause * fastrand::u32(900..=1_100) / 1_000;
    Some(pause.max(retry_after.unwrap_or_default()))
}

/// How long nothing is sent to an endpoint at which this many tries in a row have failed.
pub(super) fn pause(failures: u32) -> Duration {
    match failures.checked_sub(IN_TROUBLE) {
        None => Duration::ZERO,
        Some(more) => SHORTEST.saturating_mul(1 << more.min(16)).min(LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_tried_ten_times_in_about_three_days() {
        let pauses: Vec<_> = (0..20).map_while(|failed| next_try(failed, None)).collect();
        assert_eq!(pauses.len(), 9);
        let total: Duration = pauses.iter().sum();
        assert!((68..84).contains(&(total.as_secs() / 3_600)), "{total:?}");
        let hour = Duration::from_hours(1);
        assert_eq!(next_try(0, Some(hour)), Some(hour));
        assert!(next_try(4, Some(hour)) > Some(hour));
        assert_eq!(next_try(9, Some(hour)), None);
    }

    #[test]
    fn an_endpoint_in_trouble_is_tried_less_and_less_often() {
        let seconds: Vec<_> = [0, 4, 5, 6, 7, 10, 11, 1_000]
            .map(|failures| pause(failures).as_secs())
            .into();
        assert_eq!(seconds, [0, 0, 5, 10, 20, 160, 300, 300]);
    }
}
