//! The system under test: a private Postgres, a sandbox, and gateway processes.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use reqwest::{Client, StatusCode};
use serde_json::Value;

use super::{fineract::SandboxClient, oversight::Oversight, receiver::Receiver};
use crate::private::{Gateway, Servers, free_address};
use fineract_gateway::tls::http_client;
use fineract_gateway::{points::Injection, store};
use private_postgres::Options;
use sqlx::postgres::PgPoolOptions;
use tokio::process::Command;

/// The number of keys of the transactions API that the callers use, `key-0` and so on. Each key may be used 300 times a
/// minute.
pub(super) const API_KEYS: u8 = 12;
/// The headers that identify the bulk client.
pub(super) const BULK_CLIENT: [(&str, &str); 4] = [
    ("client_id", "id"),
    ("client_secret", "bulk-secret"),
    ("appIdentifier", "app"),
    ("organisationId", "organisation"),
];
/// The operator's token.
pub(super) const OPS_TOKEN: &str = "prove-operator";
/// The callers' token.
pub(super) const TOKEN: &str = "prove";
/// The timeout of every request of `prove`. A gateway may be dead or stopped.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a gateway may fail to answer after the last disturbance.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause before the next request.
const PAUSE: Duration = Duration::from_millis(100);

/// The lease of the gateways. The lease and the settings below make a round short: gateways wait seconds here, and
/// minutes in production.
pub(super) const LEASE: Duration = Duration::from_secs(3);
const SETTINGS: [(&str, &str); 8] = [
    ("FINERACT_TIMEOUT_SECONDS", "2"),
    ("FINERACT_STUCK_AFTER_SECONDS", "3"),
    ("FINERACT_MAX_IN_FLIGHT", "8"),
    // A key that is stuck after an outage is tried three times before its operation is parked. This time is enough for
    // three tries, even with the longest backoffs.
    ("RETRY_PARK_AFTER_SECONDS", "20"),
    ("WORKER_LEASE_SECONDS", "3"),
    ("SHUTDOWN_GRACE_SECONDS", "10"),
    // The receiver listens on this machine.
    ("WEBHOOKS_ALLOW_HTTP", "true"),
    ("WEBHOOKS_ALLOW_NETWORKS", "127.0.0.0/8"),
];

/// The running system under test.
#[derive(Debug)]
pub(super) struct System {
    /// The gateways.
    pub(super) gateways: Vec<Gateway>,
    /// Postgres and the sandbox.
    pub(super) servers: Servers,
    /// Direct access to the sandbox.
    pub(super) fineract: SandboxClient,
    /// Direct access to the database.
    pub(super) oversight: Oversight,
    /// The receiver of the callers' webhooks.
    pub(super) receiver: Receiver,
    settings: Vec<(String, String)>,
    /// The HTTP client of the callers.
    pub(super) http: Client,
    /// The folder of the logs.
    pub(super) folder: PathBuf,
}

impl System {
    /// Starts Postgres and the sandbox, and migrates the database, with the program of a release if one is given. The
    /// rounds start the gateways.
    pub(super) async fn start(
        folder: &Path,
        gateways: usize,
        more_settings: &[(String, String)],
        release: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let servers = Servers::start(Options {
            durable: false,
            ..Options::default()
        })
        .await?;
        let url = servers.url("postgres").await;
        match release {
            Some(program) => migrate_with(program, &url).await?,
            None => store::migrate(&store::connect(&url, 1, None).await?).await?,
        }
        let pool = PgPoolOptions::new().max_connections(4).connect(&url);
        let pool = pool.await?;
        let http = http_client().timeout(REQUEST_TIMEOUT).no_proxy().build()?;
        let own = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let keys: Vec<String> = (0..API_KEYS).map(|n| format!("los-{n}=key-{n}")).collect();
        let callers = [
            ("INTERNAL_TOKENS", format!("los={TOKEN}")),
            ("OPS_TOKENS", format!("operator={OPS_TOKEN}")),
            ("API_KEYS", keys.join(",")),
            (
                "BULK_CLIENTS",
                format!("los={}", BULK_CLIENT.map(|(_, value)| value).join(":")),
            ),
        ];
        let mut settings = servers.settings("postgres").await;
        settings.extend(own);
        settings.extend(callers.map(|(name, value)| (name.to_owned(), value)));
        settings.extend_from_slice(more_settings);
        let mut list = Vec::new();
        for number in 1..=gateways {
            let address = free_address().await?;
            list.push(Gateway::new(number, address, folder, settings.clone()));
        }
        Ok(Self {
            gateways: list,
            settings,
            fineract: SandboxClient::new(http.clone(), servers.sandbox_address()),
            servers,
            oversight: Oversight::new(pool),
            receiver: Receiver::start().await?,
            http,
            folder: folder.to_owned(),
        })
    }

    /// Starts the gateways that are dead. Restarts gateways that get a new injection, have a pending injection of the
    /// round before, or have had a log through a pipe. `piped` gateways get a log through a pipe. Returns when all
    /// gateways accept operations.
    pub(super) async fn start_gateways(
        &self,
        injections: &[Option<Injection>],
        piped: usize,
    ) -> anyhow::Result<()> {
        // A gateway with an injection needs a log file, because `prove` reads there whether the injection was
        // performed. So the gateways without an injection come first and get the pipes.
        let mut gateways: Vec<_> = self.gateways.iter().zip(injections).collect();
        gateways.sort_by_key(|(_, injection)| injection.is_some());
        for (number, (gateway, injection)) in gateways.into_iter().enumerate() {
            if number < piped {
                gateway.restart_piped().await?;
            } else if injection.is_some()
                || gateway.has_pending_injection().await
                || !gateway.is_alive().await
                || gateway.stderr.lock().await.is_piped()
            {
                gateway.restart(*injection).await?;
            }
        }
        self.until_ready().await
    }

    /// An additional gateway on the same database, not yet started. These settings replace those of the other gateways.
    pub(super) async fn gateway_with(&self, others: &[(&str, String)]) -> anyhow::Result<Gateway> {
        let is_other = |name: &str| others.iter().any(|(other, _)| *other == name);
        let same = self.settings.iter().filter(|(name, _)| !is_other(name));
        let others = others
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        let settings = same.cloned().chain(others).collect();
        let number = self.gateways.len() + 1;
        Ok(Gateway::new(
            number,
            free_address().await?,
            &self.folder,
            settings,
        ))
    }

    /// Waits until every gateway accepts operations.
    async fn until_ready(&self) -> anyhow::Result<()> {
        for gateway in &self.gateways {
            gateway
                .until_ready(&self.http)
                .await
                .with_context(|| format!("the gateways' logs are in {}", self.folder.display()))?;
        }
        Ok(())
    }

    /// The URLs that a gateway does not answer although it must: track for an unknown id, and the list of parked
    /// operations. Restarts a gateway that does not answer, so that the records can be read.
    pub(super) async fn unanswered(&self) -> anyhow::Result<Vec<String>> {
        let mut unanswered = Vec::new();
        for gateway in &self.gateways {
            for (token, path, expected) in [
                (
                    TOKEN,
                    "track/LOAN_CREATE|00000000-0000-7000-8000-000000000000",
                    StatusCode::NOT_FOUND,
                ),
                (OPS_TOKEN, "operations?state=parked", StatusCode::OK),
            ] {
                let url = format!("http://{}/fineract/{path}", gateway.address);
                if !self.answers(token, &url, expected).await {
                    unanswered.push(url);
                    gateway.restart(None).await?;
                    gateway.until_ready(&self.http).await?;
                }
            }
        }
        Ok(unanswered)
    }

    /// Asks the gateways one after the other to end the hold or to release operations. Returns whether nothing is left
    /// to release.
    pub(super) async fn release(&self, action: &str, body: &Value) -> anyhow::Result<bool> {
        for gateway in &self.gateways {
            let url = format!("http://{}/fineract/hold/{action}", gateway.address);
            let request = self.http.post(url).header("X-Internal-Token", OPS_TOKEN);
            let Ok(answer) = request.json(body).send().await else {
                continue;
            };
            // An earlier request may have ended the hold although its answer was lost.
            if answer.status() == StatusCode::CONFLICT {
                return Ok(true);
            }
            if answer.status() == StatusCode::OK {
                let released: Value = answer.json().await?;
                return Ok(released.get("has_more") != Some(&Value::Bool(true)));
            }
        }
        tokio::time::sleep(PAUSE).await;
        Ok(false)
    }

    /// Whether the gateway answers with the expected status within [`PATIENCE`].
    async fn answers(&self, token: &str, url: &str, expected: StatusCode) -> bool {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let request = self.http.get(url).header("X-Internal-Token", token);
            if request
                .send()
                .await
                .is_ok_and(|answer| answer.status() == expected)
            {
                return true;
            }
            tokio::time::sleep(PAUSE).await;
        }
        false
    }

    /// Ends all processes.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        for gateway in &self.gateways {
            gateway.kill().await;
        }
        self.servers.end().await
    }
}

/// Migrates a database with the program of a release.
pub(super) async fn migrate_with(program: &Path, url: &str) -> anyhow::Result<()> {
    let migrated = Command::new(program)
        .arg("migrate")
        .env_clear()
        .env("DATABASE_URL", url)
        .current_dir("/")
        .output()
        .await
        .with_context(|| format!("cannot run {}", program.display()))?;
    let errors = String::from_utf8_lossy(&migrated.stderr);
    ensure!(migrated.status.success(), "{}", errors.trim());
    Ok(())
}
