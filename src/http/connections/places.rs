//! Limits how many connections there are, in all and from each address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::http::network::network;

/// How often the log tells that connections are refused.
const TELL_EVERY: Duration = Duration::from_mins(1);

/// How many connections there may be at the same time.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// In all.
    pub in_all: usize,
    /// From one address (IPv4) or one network of 64 bits (IPv6). Behind a proxy, the address is that of the proxy.
    pub per_address: usize,
}

/// The places for connections. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Places {
    limits: ConnectionLimits,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    in_all: usize,
    by_address: HashMap<IpAddr, usize>,
    told_at: Option<Instant>,
}

/// The place of one connection. It is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    address: IpAddr,
}

impl Places {
    pub(super) fn new(limits: ConnectionLimits) -> Self {
        Self {
            limits,
            taken: Arc::default(),
        }
    }

    /// Takes a place for a connection from this address. `None` if there is none.
    pub(super) fn take(&self, address: IpAddr) -> Option<Place> {
        let address = network(address);
        let mut taken = self.taken();
        let of_address = taken.by_address.get(&address).copied().unwrap_or_default();
        let reason = if taken.in_all >= self.limits.in_all {
            "in_all"
        } else if of_address >= self.limits.per_address {
            "per_address"
        } else {
            taken.in_all += 1;
            taken.by_address.insert(address, of_address + 1);
            metrics::gauge!("gateway_connections").increment(1);
            return Some(Place {
                places: self.clone(),
                address,
            });
        };
        metrics::counter!("gateway_connections_refused_total", "reason" => reason).increment(1);
        if taken
            .told_at
            .is_none_or(|told| told.elapsed() >= TELL_EVERY)
        {
            taken.told_at = Some(Instant::now());
            tracing::warn!(
                reason,
                %address,
                "connections are refused: HTTP_MAX_CONNECTIONS or HTTP_MAX_CONNECTIONS_PER_ADDRESS is reached"
            );
        }
        None
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.in_all -= 1;
        if let Some(count) = taken.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.by_address.remove(&self.address);
            }
        }
        metrics::gauge!("gateway_connections").decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_and_become_free_again() {
        let places = Places::new(ConnectionLimits {
            in_all: 3,
            per_address: 2,
        });
        let [here, there, elsewhere] = [1, 2, 3].map(|last| IpAddr::from([10, 0, 0, last]));
        let first = places.take(here);
        let _second = places.take(here).unwrap();
        assert!(places.take(here).is_none(), "two places of one address");
        let _third = places.take(there).unwrap();
        assert!(places.take(elsewhere).is_none(), "three places in all");
        drop(first);
        assert!(places.take(elsewhere).is_some());
        assert!(places.take(here).is_some());
        assert_eq!(places.taken().by_address.len(), 2, "nobody is remembered");
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let places = Places::new(ConnectionLimits {
            in_all: 9,
            per_address: 1,
        });
        let _place = places.take("2001:db8::1".parse().unwrap()).unwrap();
        assert!(places.take("2001:db8::ffff:2".parse().unwrap()).is_none());
        assert!(places.take("2001:db8:0:1::1".parse().unwrap()).is_some());
    }
}
