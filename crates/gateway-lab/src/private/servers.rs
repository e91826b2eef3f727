//! A private Postgres and a sandbox, and the settings of gateways that use them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use anyhow::Context;
use tokio::{net::TcpListener, sync::Mutex, task::block_in_place};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use fineract_sandbox::{KeySettings, Sandbox};
use private_postgres::{Options, PrivatePostgres};

/// The base path of Fineract's API.
pub(crate) const API: &str = "/fineract-provider/api/v1";

/// Both servers. When this value is dropped, both end without leaving anything behind.
#[derive(Debug)]
pub(crate) struct Servers {
    postgres: Mutex<PrivatePostgres>,
    sandbox: Sandbox,
    sandbox_address: SocketAddr,
    serving: Mutex<CancellationToken>,
    tasks: TaskTracker,
}

impl Servers {
    /// Starts Postgres and the sandbox.
    pub(crate) async fn start(options: Options) -> anyhow::Result<Self> {
        let postgres = block_in_place(|| PrivatePostgres::start(options))?;
        let servers = Self {
            postgres: Mutex::new(postgres),
            sandbox: Sandbox::new(),
            sandbox_address: free_address().await?,
            serving: Mutex::default(),
            tasks: TaskTracker::new(),
        };
        servers.sandbox_back().await?;
        Ok(servers)
    }

    /// The address of the sandbox.
    pub(crate) fn sandbox_address(&self) -> SocketAddr {
        self.sandbox_address
    }

    /// The URL of a database.
    pub(crate) async fn url(&self, database: &str) -> String {
        self.postgres.lock().await.url(database)
    }

    /// The folder of Postgres' cluster.
    pub(crate) async fn postgres_folder(&self) -> PathBuf {
        self.postgres.lock().await.folder().to_owned()
    }

    /// The settings with which a gateway uses this database and this sandbox.
    pub(crate) async fn settings(&self, database: &str) -> Vec<(String, String)> {
        let fineract = format!("http://{}{API}", self.sandbox_address);
        [
            ("DATABASE_URL", self.url(database).await),
            ("FINERACT_URL", fineract),
            ("FINERACT_USER", "mifos".to_owned()),
            ("FINERACT_PASSWORD", "password".to_owned()),
            ("FINERACT_SINGLE_PROCESS", "true".to_owned()),
            ("LOG_FORMAT", "text".to_owned()),
            ("LOG_FILTER", "info".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// Shuts the sandbox down. From then on it refuses connections.
    pub(crate) async fn sandbox_away(&self) {
        self.serving.lock().await.cancel();
    }

    /// Starts the sandbox again as another process of Fineract, with these settings for idempotency keys.
    pub(crate) async fn sandbox_back_with_keys(&self, keys: KeySettings) -> anyhow::Result<()> {
        self.sandbox.restart_with_keys(keys);
        self.sandbox_back().await
    }

    /// Starts the sandbox again, with its data.
    pub(crate) async fn sandbox_back(&self) -> anyhow::Result<()> {
        let listener = TcpListener::bind(self.sandbox_address)
            .await
            .context("the sandbox's port is taken")?;
        let stop = CancellationToken::new();
        *self.serving.lock().await = stop.clone();
        let serving = self.sandbox.clone().serve(listener, stop);
        self.tasks.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the sandbox has failed");
            }
        });
        Ok(())
    }

    /// Kills Postgres immediately, like a crash, and starts it again after the given time.
    pub(crate) async fn crash_postgres(&self, away: Duration) -> anyhow::Result<()> {
        let mut postgres = self.postgres.lock().await;
        block_in_place(|| postgres.kill_immediately())?;
        tokio::time::sleep(away).await;
        block_in_place(|| postgres.start_again())?;
        Ok(())
    }

    /// Ends both servers.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        self.serving.lock().await.cancel();
        block_in_place(|| self.postgres.into_inner().stop())?;
        Ok(())
    }
}

/// A free port of 127.0.0.1.
pub(crate) async fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    Ok(listener.local_addr()?)
}
