//! What is put to the test: a private Postgres, a sandbox, and gateways as processes of their own.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context;
use reqwest::{Client, StatusCode};
use serde_json::Value;

use super::{fineract::SandboxClient, oversight::Oversight};
use crate::private::{Gateway, Servers, free_address};
use fineract_gateway::tls::http_client;
use fineract_gateway::{points::Injection, store};
use private_postgres::Options;
use sqlx::postgres::PgPoolOptions;

/// How many keys the callers have for transactions, `key-0` and so on: each may be used 300 times a minute.
pub(super) const API_KEYS: u8 = 12;
/// What the callers send to bulk's routes.
pub(super) const BULK_CLIENT: [(&str, &str); 4] = [
    ("client_id", "id"),
    ("client_secret", "bulk-secret"),
    ("appIdentifier", "app"),
    ("organisationId", "organisation"),
];
/// An operator's token.
pub(super) const OPS_TOKEN: &str = "prove-operator";
/// The callers' token.
pub(super) const TOKEN: &str = "prove";
/// No request of the judge waits longer; a gateway may be dead, or stopped.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// For how long a gateway may fail to answer once nothing goes wrong any more.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is waited before it is asked again.
const PAUSE: Duration = Duration::from_millis(100);

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
    settings: Vec<(String, String)>,
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
        let url = servers.url("postgres").await;
        store::migrate(&store::connect(&url, 1, None).await?).await?;
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
            http,
            folder: folder.to_owned(),
        })
    }

    /// Begins the lives that have to begin anew: of gateways with an order, of those that had one, and of
    /// so many whose log goes through a pipe. All take operations then.
    pub(super) async fn begin_lives(
        &self,
        injections: &[Option<Injection>],
        piped: usize,
    ) -> anyhow::Result<()> {
        // Those that have no order come first: whether one was carried out is read in a log.
        let mut gateways: Vec<_> = self.gateways.iter().zip(injections).collect();
        gateways.sort_by_key(|(_, injection)| injection.is_some());
        for (number, (gateway, injection)) in gateways.into_iter().enumerate() {
            if number < piped {
                gateway.restart_piped().await?;
            } else if injection.is_some()
                || gateway.is_armed().await
                || !gateway.is_alive().await
                || gateway.stderr.lock().await.is_piped()
            {
                gateway.restart(*injection).await?;
            }
        }
        self.until_ready().await
    }

    /// A gateway more on the same database, yet to be started, with settings that the others do not have.
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

    /// Waits until every gateway takes operations.
    async fn until_ready(&self) -> anyhow::Result<()> {
        for gateway in &self.gateways {
            gateway
                .until_ready(&self.http)
                .await
                .with_context(|| format!("the gateways' logs are in {}", self.folder.display()))?;
        }
        Ok(())
    }

    /// What the gateways do not answer that they have to, whatever else there is: what was never accepted,
    /// and what is parked. Those that fail to are started anew, so that the books can be read.
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

    /// Asks one gateway after the other to lift what is on hold, until one says that nothing is left to be lifted.
    pub(super) async fn lift(&self, action: &str, body: &Value) -> anyhow::Result<bool> {
        for gateway in &self.gateways {
            let url = format!("http://{}/fineract/hold/{action}", gateway.address);
            let request = self.http.post(url).header("X-Internal-Token", OPS_TOKEN);
            let Ok(answer) = request.json(body).send().await else {
                continue;
            };
            // An answer that was lost may have ended it.
            if answer.status() == StatusCode::CONFLICT {
                return Ok(true);
            }
            if answer.status() == StatusCode::OK {
                let lifted: Value = answer.json().await?;
                return Ok(lifted.get("has_more") != Some(&Value::Bool(true)));
            }
        }
        tokio::time::sleep(PAUSE).await;
        Ok(false)
    }

    /// Whether a request is answered so within [`PATIENCE`].
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

    /// Ends everything.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        for gateway in &self.gateways {
            gateway.kill().await;
        }
        self.servers.end().await
    }
}
