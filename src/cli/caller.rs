//! The gateway that a caller asks.

use reqwest::Url;

use super::connection::{Connection, User};

const CALLER: User = User {
    variable: "GATEWAY_TOKEN",
    setting: "INTERNAL_TOKENS",
    hint: "is the address right, including the base path?",
};

/// The address of the gateway. The token comes from the environment.
#[derive(Debug, clap::Args)]
pub(super) struct Caller {
    /// Set the gateway's address, including its base path. The token (one of `INTERNAL_TOKENS`) is read from
    /// `GATEWAY_TOKEN`, in the environment or in .env.
    #[arg(long, env = "GATEWAY_URL", default_value = "http://127.0.0.1:8080")]
    url: Url,
}

impl Caller {
    /// Creates a connection. Fails if there is no token.
    pub(super) fn connect(&self) -> anyhow::Result<Connection> {
        Connection::new(&self.url, &CALLER)
    }
}
