//! What is put to the test: a private Postgres, a sandbox, and gateways as processes of their own.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use reqwest::Client;
use tokio::{net::TcpListener, sync::Mutex, task::block_in_place};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    fineract::{API, SandboxClient},
    gateway::Gateway,
};
use crate::{
    embedded_postgres::{EmbeddedPostgres, Options},
    sandbox::Sandbox,
    store::{self, Oversight},
};

/// The callers' token.
pub(super) const TOKEN: &str = "prove";
/// No request of the judge waits longer; a gateway may be dead, or stopped.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// How long all gateways may take to start.
const START: Duration = Duration::from_secs(30);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Settings that make a round short: everything waits for seconds where production waits for minutes.
pub(super) const LEASE: Duration = Duration::from_secs(3);
const SETTINGS: [(&str, &str); 9] = [
    ("FINERACT_USER", "mifos"),
    ("FINERACT_PASSWORD", "password"),
    ("FINERACT_TIMEOUT_SECONDS", "2"),
    ("FINERACT_STUCK_AFTER_SECONDS", "3"),
    ("FINERACT_MAX_IN_FLIGHT", "8"),
    ("RETRY_PARK_AFTER_SECONDS", "14"),
    ("WORKER_LEASE_SECONDS", "3"),
    ("SHUTDOWN_GRACE_SECONDS", "10"),
    ("LOG_FORMAT", "text"),
];
const LOG_FILTER: &str = "info";

/// The whole of it.
#[derive(Debug)]
pub(super) struct System {
    /// The gateways.
    pub(super) gateways: Vec<Gateway>,
    /// The judge's own way to the sandbox.
    pub(super) fineract: SandboxClient,
    /// The judge's own way to the database.
    pub(super) oversight: Oversight,
    /// The callers' client.
    pub(super) http: Client,
    /// Where the logs are.
    pub(super) folder: PathBuf,
    postgres: Mutex<EmbeddedPostgres>,
    sandbox: Sandbox,
    sandbox_address: SocketAddr,
    serving: Mutex<CancellationToken>,
    tasks: TaskTracker,
}

impl System {
    /// Starts Postgres and the sandbox; the gateways are started by the rounds.
    pub(super) async fn start(
        folder: &Path,
        gateways: usize,
        more_settings: &[(String, String)],
    ) -> anyhow::Result<Self> {
        let postgres = block_in_place(|| {
            EmbeddedPostgres::start(Options {
                durable: false,
                ..Options::default()
            })
        })?;
        let url = postgres.url("postgres");
        let pool = store::connect(&url, 4).await?;
        store::migrate(&pool).await?;
        let http = Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .no_proxy()
            .build()?;
        let sandbox_address = free_address().await?;
        let settings: Vec<(String, String)> = SETTINGS
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .chain([
                ("DATABASE_URL".to_owned(), url),
                ("INTERNAL_TOKENS".to_owned(), format!("los={TOKEN}")),
                (
                    "FINERACT_URL".to_owned(),
                    format!("http://{sandbox_address}{API}"),
                ),
                ("LOG_FILTER".to_owned(), LOG_FILTER.to_owned()),
            ])
            .chain(more_settings.iter().cloned())
            .collect();
        let mut list = Vec::new();
        for number in 1..=gateways {
            let address = free_address().await?;
            list.push(Gateway::new(number, address, folder, settings.clone()));
        }
        let system = Self {
            gateways: list,
            fineract: SandboxClient::new(http.clone(), sandbox_address),
            oversight: Oversight::new(pool),
            http,
            folder: folder.to_owned(),
            postgres: Mutex::new(postgres),
            sandbox: Sandbox::new(),
            sandbox_address,
            serving: Mutex::default(),
            tasks: TaskTracker::new(),
        };
        system.sandbox_back().await?;
        Ok(system)
    }

    /// Waits until every gateway takes operations.
    pub(super) async fn until_ready(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        for gateway in &self.gateways {
            let url = format!("http://{}/readyz", gateway.address);
            loop {
                let answer = self.http.get(&url).send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    break;
                }
                if started.elapsed() > START {
                    bail!(
                        "a gateway does not start; its log is in {}",
                        self.folder.display()
                    );
                }
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }

    /// Fineract goes away: connections are refused.
    pub(super) async fn sandbox_away(&self) {
        self.serving.lock().await.cancel();
    }

    /// It comes back, with all that it knew.
    pub(super) async fn sandbox_back(&self) -> anyhow::Result<()> {
        let listener = TcpListener::bind(self.sandbox_address)
            .await
            .context("the sandbox's port is taken")?;
        let stop = CancellationToken::new();
        *self.serving.lock().await = stop.clone();
        let serving = self.sandbox.clone().serve(listener, stop);
        self.tasks.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the sandbox has ended");
            }
        });
        Ok(())
    }

    /// Kills Postgres as a crash does, and starts it again after a while.
    pub(super) async fn crash_postgres(&self, away: Duration) -> anyhow::Result<()> {
        let mut postgres = self.postgres.lock().await;
        block_in_place(|| postgres.kill_immediately())?;
        tokio::time::sleep(away).await;
        block_in_place(|| postgres.start_again())?;
        Ok(())
    }

    /// Ends everything.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        for gateway in &self.gateways {
            gateway.kill().await;
        }
        self.serving.lock().await.cancel();
        block_in_place(|| self.postgres.into_inner().stop())?;
        Ok(())
    }
}

async fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    Ok(listener.local_addr()?)
}
