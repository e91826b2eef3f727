//! Limits how often an address may send a wrong secret, so that nobody guesses one and nobody makes the gateway busy
//! with trying.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::refusal::Why;
use crate::http::network::network;

/// How many wrong secrets of one address are looked at in a period.
const MOST: u32 = 20;
/// The period. It begins with the first wrong secret.
const PERIOD: Duration = Duration::from_mins(1);
/// How many addresses are remembered, so that memory stays bounded. Beyond this number, other addresses are not limited
/// until older ones are forgotten.
const MOST_REMEMBERED: usize = 10_000;

/// The wrong secrets of the last minute, by address. Each process counts for itself. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct WrongSecrets(Arc<Mutex<HashMap<IpAddr, (Instant, u32)>>>);

impl WrongSecrets {
    /// An error if nothing more of this address is looked at. An unknown address is not limited.
    pub(super) fn check(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Why> {
        let wait = address.and_then(|address| self.limited_for(address, now));
        wait.map_or(Ok(()), |wait| Err(Why::TooManyWrong(wait)))
    }

    /// Counts a refusal if the secret was wrong. A right secret that is no longer valid is no guess.
    pub(super) fn note(&self, address: Option<IpAddr>, why: Why, now: Instant) {
        if let (Why::WrongSecret, Some(address)) = (why, address) {
            self.count(address, now);
        }
    }

    fn limited_for(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = counts.get(&network(address))?;
        let left = PERIOD.saturating_sub(now.saturating_duration_since(*since));
        (*count >= MOST && !left.is_zero()).then_some(left)
    }

    fn count(&self, address: IpAddr, now: Instant) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |since: &Instant| now.saturating_duration_since(*since) >= PERIOD;
        let address = network(address);
        if let Some((since, count)) = counts.get_mut(&address) {
            if is_over(since) {
                (*since, *count) = (now, 0);
            }
            *count += 1;
            return;
        }
        if counts.len() >= MOST_REMEMBERED {
            counts.retain(|_, (since, _)| !is_over(since));
        }
        if counts.len() < MOST_REMEMBERED {
            counts.insert(address, (now, 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    #[test]
    fn twenty_wrong_secrets_a_minute_close_one_address() {
        let wrong = WrongSecrets::default();
        let here = IpAddr::from([10, 0, 0, 1]);
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
        let there = IpAddr::from([10, 0, 0, 2]);
        let start = Instant::now();
        for second in 0..20 {
            let now = start + Duration::from_secs(second);
            assert_eq!(wrong.limited_for(here, now), None);
            wrong.count(here, now);
        }
        let now = start + Duration::from_secs(45);
        assert_eq!(wrong.limited_for(here, now), Some(Duration::from_secs(15)));
        assert_eq!(
            wrong.limited_for(mapped, now),
            Some(Duration::from_secs(15))
        );
        assert_eq!(wrong.limited_for(there, now), None);
        let later = start + PERIOD;
        assert_eq!(wrong.limited_for(here, later), None);
        wrong.count(here, later);
        assert_eq!(wrong.limited_for(here, later), None);
    }

    #[test]
    fn addresses_of_one_network_of_ipv6_count_together() {
        let wrong = WrongSecrets::default();
        let now = Instant::now();
        for last in 0..20 {
            wrong.count(
                Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).into(),
                now,
            );
        }
        let another: IpAddr = "2001:db8::ffff:1".parse().unwrap();
        assert!(wrong.limited_for(another, now).is_some());
        let elsewhere: IpAddr = "2001:db8:0:1::1".parse().unwrap();
        assert!(wrong.limited_for(elsewhere, now).is_none());
    }
}
