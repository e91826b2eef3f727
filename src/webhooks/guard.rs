//! Which addresses a receiver may have. A caller chooses the URL, so without this check it could make the gateway send
//! requests to services that only the gateway can reach (server-side request forgery).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _},
    sync::Arc,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// The IPv4 networks that do not belong to the public internet (IANA IPv4 Special-Purpose Address Registry), and the
/// address at which Azure serves metadata.
const NOT_PUBLIC_V4: [Ipv4Net; 16] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([168, 63, 129, 16], 32),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];

/// The IPv6 networks of the public internet.
const PUBLIC_V6: Ipv6Net = v6([0x2000, 0], 3);

/// What does not belong to the public internet within [`PUBLIC_V6`], or contains an IPv4 address (IANA IPv6
/// Special-Purpose Address Registry).
const NOT_PUBLIC_V6: [Ipv6Net; 4] = [
    v6([0x2001, 0], 23),
    v6([0x2001, 0xdb8], 32),
    v6([0x2002, 0], 16),
    v6([0x3fff, 0], 20),
];

const fn v4([a, b, c, d]: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6([first, second]: [u16; 2], length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0), length)
}

/// How many names are resolved at the same time. A slow name server keeps a thread until it answers.
const MOST_LOOKUPS: usize = 32;

/// Decides where the gateway delivers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Guard {
    networks: Arc<[IpNet]>,
    allows_http: bool,
    lookups: Arc<Semaphore>,
}

/// Permits the public internet, with TLS.
impl Default for Guard {
    fn default() -> Self {
        Self::new(&[], false)
    }
}

/// Why a URL is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedUrl {
    /// It cannot be parsed, or has no host.
    #[error("must be a URL, such as https://example.org/hooks")]
    Malformed,
    /// It is not encrypted.
    #[error("must begin with https://")]
    NotHttps,
    /// It contains a user or a password, which would appear in logs.
    #[error("must not contain a user or a password; use headers")]
    HasCredentials,
    /// It has a fragment, which no request contains.
    #[error("must not contain a fragment (#…)")]
    HasFragment,
    /// Its host is an address that does not belong to the public internet.
    #[error("must not lead to a private address")]
    PrivateAddress,
}

/// The name resolves only to addresses that are not allowed.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to a private address")]
pub(super) struct PrivateName;

impl Guard {
    /// Permits the public internet and these networks; `allows_http`: also without TLS.
    pub fn new(networks: &[IpNet], allows_http: bool) -> Self {
        Self {
            networks: networks.into(),
            allows_http,
            lookups: Arc::new(Semaphore::new(MOST_LOOKUPS)),
        }
    }

    /// Permits every address, also without TLS: for a URL that the person at the command line has chosen.
    pub fn permissive() -> Self {
        let all_v4 = IpNet::V4(v4([0, 0, 0, 0], 0));
        let all_v6 = IpNet::V6(v6([0, 0], 0));
        Self::new(&[all_v4, all_v6], true)
    }

    /// Whether the gateway may connect to this address.
    pub(super) fn permits(&self, address: IpAddr) -> bool {
        // An IPv4 address can be written as an IPv6 address.
        let address = address.to_canonical();
        self.networks
            .iter()
            .any(|network| network.contains(&address))
            || is_public(address)
    }

    /// Checks a URL as far as this is possible without resolving its name. The name is resolved at each connection.
    pub fn check(&self, url: &str) -> Result<Url, RefusedUrl> {
        let url = Url::parse(url).or(Err(RefusedUrl::Malformed))?;
        let host = url.host_str().ok_or(RefusedUrl::Malformed)?;
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        let is_encrypted = url.scheme() == "https" || (self.allows_http && url.scheme() == "http");
        if !is_encrypted {
            Err(RefusedUrl::NotHttps)
        } else if !url.username().is_empty() || url.password().is_some() {
            Err(RefusedUrl::HasCredentials)
        } else if url.fragment().is_some() {
            Err(RefusedUrl::HasFragment)
        } else if address.is_ok_and(|address| !self.permits(address)) {
            Err(RefusedUrl::PrivateAddress)
        } else {
            Ok(url)
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4
            .iter()
            .any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            PUBLIC_V6.contains(&address)
                && !NOT_PUBLIC_V6
                    .iter()
                    .any(|network| network.contains(&address))
        }
    }
}

/// Resolves a name for a connection, and leaves out the addresses that are not permitted. The connection uses exactly
/// these addresses, so a name that resolves differently a moment later does not matter.
impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let permit = Arc::clone(&guard.lookups).acquire_owned().await?;
            let name = name.as_str().to_owned();
            // Whoever stops waiting leaves the thread behind, which keeps the permit.
            let found = spawn_blocking(move || {
                let found = (name, 0).to_socket_addrs();
                drop(permit);
                found
            });
            let found = found.await??;
            let permitted: Vec<SocketAddr> = found
                .filter(|address| guard.permits(address.ip()))
                .collect();
            if permitted.is_empty() {
                return Err(PrivateName.into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

/// Whether two URLs lead to the same scheme, host and port.
pub fn have_same_origin(one: &str, other: &str) -> bool {
    let origin = |url| Url::parse(url).map(|url| url.origin());
    matches!((origin(one), origin(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_and_the_allowed_networks_are_permitted() {
        let guard = Guard::new(&["10.1.0.0/16".parse().unwrap()], false);
        for (address, expected) in [
            ("8.8.8.8", true),
            ("10.1.2.3", true),
            ("10.2.2.3", false),
            ("127.0.0.1", false),
            ("0.0.0.0", false),
            ("100.100.100.200", false),
            ("168.63.129.16", false),
            ("168.63.129.17", true),
            ("169.254.169.254", false),
            ("172.31.0.1", false),
            ("172.32.0.1", true),
            ("192.0.0.192", false),
            ("192.168.0.1", false),
            ("198.19.255.255", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("::ffff:10.1.2.3", true),
            ("::7f00:1", false),
            ("64:ff9b::7f00:1", false),
            ("2001:0:7f00:1::", false),
            ("2001:db8::1", false),
            ("2002:7f00:1::", false),
            ("2606:4700::1111", true),
            ("fc00::1", false),
            ("fd00:ec2::254", false),
            ("fe80::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(
                guard.permits(address.parse().unwrap()),
                expected,
                "{address}"
            );
        }
    }

    #[test]
    fn a_url_is_checked_in_every_form_in_which_an_address_can_be_written() {
        use RefusedUrl::{HasCredentials, HasFragment, Malformed, NotHttps, PrivateAddress};
        let guard = Guard::default();
        for (url, expected) in [
            ("https://example.org/hooks?a=b", None),
            ("https://8.8.8.8:8443/", None),
            ("example.org", Some(Malformed)),
            ("https://", Some(Malformed)),
            ("data:text/plain,x", Some(Malformed)),
            ("http://example.org/", Some(NotHttps)),
            ("ftp://example.org/", Some(NotHttps)),
            ("https://user@example.org/", Some(HasCredentials)),
            ("https://:password@example.org/", Some(HasCredentials)),
            ("https://example.org/#part", Some(HasFragment)),
            ("https://127.0.0.1/", Some(PrivateAddress)),
            ("https://127.1/", Some(PrivateAddress)),
            ("https://0x7f000001/", Some(PrivateAddress)),
            ("https://2130706433/", Some(PrivateAddress)),
            ("https://0177.0.0.1/", Some(PrivateAddress)),
            ("https://127.0.0.1./", Some(PrivateAddress)),
            ("https://[::1]/", Some(PrivateAddress)),
            ("https://[::ffff:169.254.169.254]/", Some(PrivateAddress)),
        ] {
            assert_eq!(guard.check(url).err(), expected, "{url}");
        }
        let open = Guard::new(&["127.0.0.0/8".parse().unwrap()], true);
        assert!(open.check("http://127.0.0.1:1/").is_ok());
        assert_eq!(open.check("ftp://127.0.0.1/"), Err(NotHttps));
        for url in ["http://127.0.0.1:1/", "http://[::1]/", "https://8.8.8.8/"] {
            assert!(Guard::permissive().check(url).is_ok(), "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_resolves_only_to_addresses_that_are_permitted() {
        let resolve = async |guard: Guard| {
            let resolved = guard.resolve("localhost".parse().unwrap()).await;
            resolved.map(Iterator::collect::<Vec<_>>)
        };
        let refused = resolve(Guard::default()).await.unwrap_err();
        assert!(refused.is::<PrivateName>(), "{refused}");
        let local = Guard::new(&["127.0.0.0/8".parse().unwrap()], false);
        let found = resolve(local).await.unwrap();
        assert!(found.iter().all(SocketAddr::is_ipv4), "{found:?}");
    }
}
