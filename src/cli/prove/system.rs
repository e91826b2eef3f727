//! What is put to the test: a private Postgres, a sandbox, and gateways as processes of their own.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use reqwest::Client;

use super::fineract::SandboxClient;
use crate::{
    cli::private::{Gateway, Servers, free_address},
    embedded_postgres::Options,
    store::{self, Oversight},
};

/// The callers' token.
pub(super) const TOKEN: &str = "prove";
/// No request of the judge waits longer; a gateway may be dead, or stopped.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// Settings that make a round short: everything waits for seconds where production waits for minutes.
pub(super) const LEASE: Duration = Duration::from_secs(3);
const SETTINGS: [(&str, &str); 6] = [
    ("FINERACT_TIMEOUT_SECONDS", "2"),
    ("FINERACT_STUCK_AFTER_SECONDS", "3"),
    ("FINERACT_MAX_IN_FLIGHT", "8"),
    // Longer than the longest backoffs take until a key that is stuck after an outage was asked three times.
    ("RETRY_PARK_AFTER_SECONDS", "20"),
    ("WORKER_LEASE_SECONDS", "3"),
    ("SHUTDOWN_GRACE_SECONDS", "10"),
];

/// The whole of it.
#[derive(Debug)]
pub(super) struct System {
    /// The gateways.
    pub(super) gateways: Vec<Gateway>,
    /// Postgres and the sandbox.
    pub(super) servers: Servers,
    /// The judge's own way to the sandbox.
    pub(super) fineract: SandboxClient,
    /// The judge's own way to the database.
    pub(super) oversight: Oversight,
    /// The callers' client.
    pub(super) http: Client,
    /// Where the logs are.
    pub(super) folder: PathBuf,
}

impl System {
    /// Starts Postgres and the sandbox; the gateways are started by the rounds.
    pub(super) async fn start(
        folder: &Path,
        gateways: usize,
        more_settings: &[(String, String)],
    ) -> anyhow::Result<Self> {
        let servers = Servers::start(Options {
            durable: false,
            ..Options::default()
        })
        .await?;
        let pool = store::connect(&servers.url("postgres").await, 4, None).await?;
        store::migrate(&pool).await?;
        let http = Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .no_proxy()
            .build()?;
        let own = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let token = ("INTERNAL_TOKENS".to_owned(), format!("los={TOKEN}"));
        let mut settings = servers.settings("postgres").await;
        settings.extend(own);
        settings.push(token);
        settings.extend_from_slice(more_settings);
        let mut list = Vec::new();
        for number in 1..=gateways {
            let address = free_address().await?;
            list.push(Gateway::new(number, address, folder, settings.clone()));
        }
        Ok(Self {
            gateways: list,
            fineract: SandboxClient::new(http.clone(), servers.sandbox_address()),
            servers,
            oversight: Oversight::new(pool),
            http,
            folder: folder.to_owned(),
        })
    }

    /// Waits until every gateway takes operations.
    pub(super) async fn until_ready(&self) -> anyhow::Result<()> {
        for gateway in &self.gateways {
            gateway
                .until_ready(&self.http)
                .await
                .with_context(|| format!("the gateways' logs are in {}", self.folder.display()))?;
        }
        Ok(())
    }

    /// Ends everything.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        for gateway in &self.gateways {
            gateway.kill().await;
        }
        self.servers.end().await
    }
}
