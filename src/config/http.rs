//! Settings of the interface for callers and operators.

use std::net::{Ipv4Addr, SocketAddr};

use chrono_tz::Tz;

use super::{
    credentials::{self, BulkClient, NamedSecret},
    reader::Reader,
    tls::server_tls,
    values,
};
use crate::tls::ServerTls;

/// The gateway's own HTTP interface.
#[derive(Debug, Clone)]
pub struct Http {
    /// `HTTP_LISTEN`: the address and port; a worker serves only health and metrics there (`127.0.0.1:8080`).
    pub listen: SocketAddr,
    /// `TLS_CERT_FILE`, `TLS_KEY_FILE` and `TLS_CLIENT_CA_FILE`: TLS of the connections; without it, they are plain
    /// (none).
    pub tls: Option<ServerTls>,
    /// `HTTP_MAX_CONNECTIONS`: how many connections there may be at the same time (20000).
    pub max_connections: usize,
    /// `HTTP_MAX_CONNECTIONS_PER_ADDRESS`: how many of them may come from one address (2000).
    pub max_connections_per_address: usize,
    /// `HTTP_BASE_PATH`: the prefixes of every route, without a trailing slash (none).
    pub base_paths: Vec<String>,
    /// `INTERNAL_TOKENS`: the tokens of the callers that use operate and track, sent in `X-Internal-Token` (empty).
    pub internal_tokens: Vec<NamedSecret>,
    /// `OPS_TOKENS`: the operators' tokens, sent in `X-Internal-Token` (empty).
    pub ops_tokens: Vec<NamedSecret>,
    /// `API_KEYS`: the keys for transactions, sent as `Authorization: Token …` (empty).
    pub api_keys: Vec<NamedSecret>,
    /// `BULK_CLIENTS`: the credentials for the bulk API, sent in four headers (empty).
    pub bulk_clients: Vec<BulkClient>,
    /// `BULK_MAX_ROWS`: the largest number of rows in one batch (10000).
    pub bulk_max_rows: usize,
    /// `ADMISSION_MAX_WAITING`: the largest backlog; beyond it, new operations are refused with 429 (1000000).
    pub admission_max_waiting: i64,
    /// `OPS_TIME_ZONE`: the time zone of the operators' page in a browser without JavaScript (`UTC`).
    pub ops_time_zone: Tz,
    /// `CURRENCY`: the currency of a transaction until the loan's currency is known (`INR`).
    pub currency: String,
}

impl Http {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let http = Self {
            listen: reader
                .parsed(
                    "HTTP_LISTEN",
                    "an IP address with a port, such as 0.0.0.0:8080",
                )
                .unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))),
            tls: server_tls(reader),
            max_connections: reader.number("HTTP_MAX_CONNECTIONS", 20_000, 1..=1_000_000),
            max_connections_per_address: reader.number(
                "HTTP_MAX_CONNECTIONS_PER_ADDRESS",
                2_000,
                1..=1_000_000,
            ),
            base_paths: values::base_paths(reader, "HTTP_BASE_PATH"),
            internal_tokens: credentials::named_secrets(reader, "INTERNAL_TOKENS"),
            ops_tokens: credentials::named_secrets(reader, "OPS_TOKENS"),
            api_keys: credentials::named_secrets(reader, "API_KEYS"),
            bulk_clients: credentials::bulk_clients(reader, "BULK_CLIENTS"),
            bulk_max_rows: reader.number("BULK_MAX_ROWS", 10_000, 1..=1_000_000),
            admission_max_waiting: reader.number("ADMISSION_MAX_WAITING", 1_000_000, 1..=i64::MAX),
            ops_time_zone: values::time_zone(reader, "OPS_TIME_ZONE"),
            currency: values::currency(reader, "CURRENCY", "INR"),
        };
        if credentials::share_a_secret(&http.internal_tokens, &http.ops_tokens) {
            let problem =
                "contains a secret of INTERNAL_TOKENS: a token must be in only one of them";
            reader.problem("OPS_TOKENS", problem);
        }
        http
    }
}
