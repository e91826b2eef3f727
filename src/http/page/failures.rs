//! Limits how often somebody can try a wrong secret.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How many failures are permitted in a period.
const MOST: usize = 5;
/// The period.
const PERIOD: Duration = Duration::from_mins(1);
/// How many pairs of an address and a name are remembered, so that memory stays bounded. Beyond this number, other
/// pairs are not limited until older failures are forgotten.
const MOST_REMEMBERED: usize = 10_000;
/// The longest name that is remembered, in characters. No operator has a longer one.
const LONGEST_NAME: usize = 100;

/// The failed sign-ins of the last minute, by address and name. Each process counts for itself.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<HashMap<(IpAddr, String), Vec<Instant>>>);

impl Failures {
    /// Whether another try from this address under this name is refused.
    pub(super) fn is_limited(&self, address: IpAddr, name: &str, now: Instant) -> bool {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, times| {
            times.retain(|time| now.saturating_duration_since(*time) < PERIOD);
            !times.is_empty()
        });
        failures
            .get(&key(address, name))
            .is_some_and(|times| times.len() >= MOST)
    }

    /// Counts a failure.
    pub(super) fn count(&self, address: IpAddr, name: &str, now: Instant) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key(address, name);
        if failures.len() < MOST_REMEMBERED || failures.contains_key(&key) {
            failures.entry(key).or_default().push(now);
        }
    }
}

fn key(address: IpAddr, name: &str) -> (IpAddr, String) {
    (address, name.chars().take(LONGEST_NAME).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_a_minute_close_one_name_at_one_address() {
        let failures = Failures::default();
        let (here, there) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let start = Instant::now();
        for second in 0..5 {
            let now = start + Duration::from_secs(second);
            assert!(!failures.is_limited(here, "ops", now));
            failures.count(here, "ops", now);
        }
        let now = start + Duration::from_secs(59);
        assert!(failures.is_limited(here, "ops", now));
        assert!(!failures.is_limited(there, "ops", now));
        assert!(!failures.is_limited(here, "other", now));
        assert!(!failures.is_limited(here, "ops", start + Duration::from_mins(1)));
    }
}
