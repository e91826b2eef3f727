//! The gateway that an operator asks.

use reqwest::Url;

use crate::cli::connection::{Connection, User};

const OPERATOR: User = User {
    variable: "OPS_TOKEN",
    setting: "OPS_TOKENS",
    hint: "is the operators' API on (OPS_TOKENS), and is the address right?",
};

/// The address of the gateway. The token comes from the environment.
#[derive(Debug, clap::Args)]
pub(super) struct Gateway {
    /// Set the gateway's address, including its base path. The token (one of `OPS_TOKENS`) is read from `OPS_TOKEN`, in the
    /// environment or in .env.
    #[arg(long, env = "OPS_URL", default_value = "http://127.0.0.1:8080")]
    url: Url,
}

impl Gateway {
    /// Creates a connection. Fails if there is no token.
    pub(super) fn connect(&self) -> anyhow::Result<Connection> {
        Connection::new(&self.url, &OPERATOR)
    }
}
