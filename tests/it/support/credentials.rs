//! The keys of callers, as gateways hear of them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use fineract_gateway::tls::http_client;

use super::{Answer, eventually::eventually};

/// Waits until the gateway at this address accepts an internal token. Each look comes from another address, because
/// one that sends too many wrong secrets is refused for a minute.
pub(crate) async fn until_known(gateway: SocketAddr, secret: &str) {
    let mut last_bytes = (1..=u8::MAX).cycle();
    eventually("the gateway knows the key", async || {
        let from = Ipv4Addr::new(127, 0, 1, last_bytes.next().expect("a cycle"));
        let client = http_client().no_proxy().local_address(IpAddr::from(from));
        let client = client.build().expect("a client");
        let request = client.get(format!("http://{gateway}/events"));
        let answer = Answer::of(request.header("X-Internal-Token", secret)).await;
        answer.status == 200
    })
    .await;
}
