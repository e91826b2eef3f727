//! The addresses that count as one.

use std::net::{IpAddr, Ipv6Addr};

/// Who has one address of IPv6 usually has 2^64 of them, so these count as one.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}
