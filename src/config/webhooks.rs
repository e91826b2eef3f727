//! Settings of webhooks: where the gateway may deliver.

use ipnet::IpNet;

use super::{reader::Reader, values::entries};

/// Where the gateway may deliver webhooks.
#[derive(Debug, Clone)]
pub struct Webhooks {
    /// `WEBHOOKS_ALLOW_HTTP`: whether receivers without TLS are allowed (false).
    pub allow_http: bool,
    /// `WEBHOOKS_ALLOW_NETWORKS`: networks besides the public internet in which receivers may be (none).
    pub allow_networks: Vec<IpNet>,
}

impl Webhooks {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            allow_http: reader.boolean("WEBHOOKS_ALLOW_HTTP", false),
            allow_networks: networks(reader, "WEBHOOKS_ALLOW_NETWORKS"),
        }
    }
}

/// Reads `10.0.0.0/8,fd00::/8`.
fn networks(reader: &mut Reader<'_>, variable: &'static str) -> Vec<IpNet> {
    let list = reader.text(variable).unwrap_or_default();
    let mut networks = Vec::new();
    for (_, entry) in entries(&list) {
        match entry.parse() {
            Ok(network) => networks.push(network),
            Err(_) => reader.problem(
                variable,
                format!("has \"{entry}\", which is not a network such as 10.0.0.0/8"),
            ),
        }
    }
    networks
}
