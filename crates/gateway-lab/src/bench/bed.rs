//! The test bed of one measure: private servers, and gateways that use them.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Context as _;
use fineract_gateway::tls::http_client;
use indicatif::ProgressBar;
use reqwest::Client;
use tokio::time::sleep;

use super::{
    figures::Milli,
    process::{self, Memory},
    queue::Queue,
};
use crate::{
    load::{self, Mix, Plan, Report},
    private::{Gateway, Servers, free_address},
};
use fineract_gateway::store;
use private_postgres::Options;
use sqlx::postgres::PgPoolOptions;

/// The callers' token.
pub(super) const TOKEN: &str = "bench";
/// The token of an operator.
pub(super) const OPS_TOKEN: &str = "bench-ops";
/// The interval between two checks whether all operations have ended.
const POLL: Duration = Duration::from_millis(100);
/// The default number of connections.
pub(super) const CLIENTS: usize = 64;

/// Servers and gateways. All of them end when the bed is cleared or dropped.
#[derive(Debug)]
pub(super) struct Bed {
    /// Postgres and the sandbox.
    pub(super) servers: Servers,
    /// The first database, which most measures use.
    pub(super) queue: Queue,
    /// The HTTP client for requests that are not part of the load.
    pub(super) http: Client,
    /// The folder for logs and other files.
    pub(super) folder: PathBuf,
    gateways: Vec<Gateway>,
}

impl Bed {
    /// Starts the servers, with fsync, and migrates the database.
    pub(super) async fn make(name: &str) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!(
            "fineract-gateway-bench-{}-{name}",
            std::process::id()
        ));
        std::fs::create_dir_all(&folder).context("cannot create the folder for the logs")?;
        let servers = Servers::start(Options::default()).await?;
        let queue = Self::queue_of(&servers, "postgres").await?;
        let http = http_client()
            .timeout(Duration::from_secs(70))
            .pool_max_idle_per_host(usize::MAX)
            .tcp_nodelay(true)
            .no_proxy()
            .build()?;
        Ok(Self {
            servers,
            queue,
            http,
            folder,
            gateways: Vec::new(),
        })
    }

    async fn queue_of(servers: &Servers, database: &str) -> anyhow::Result<Queue> {
        let url = servers.url(database).await;
        store::migrate(&store::connect(&url, 1, None).await?).await?;
        let pool = PgPoolOptions::new().max_connections(4).connect(&url);
        Ok(Queue::new(pool.await?))
    }

    /// Creates and migrates another database.
    pub(super) async fn another_queue(&self, database: &str) -> anyhow::Result<Queue> {
        self.queue
            .run(&format!("CREATE DATABASE {database}"))
            .await?;
        Self::queue_of(&self.servers, database).await
    }

    /// Starts a gateway on a database. Unless the gateway is a worker, waits until the gateway accepts operations.
    /// Returns the gateway's number.
    pub(super) async fn start_gateway(
        &mut self,
        role: &str,
        database: &str,
    ) -> anyhow::Result<usize> {
        let mut settings = self.servers.settings(database).await;
        let more = [
            ("ROLE", role),
            ("INTERNAL_TOKENS", "los=bench"),
            ("OPS_TOKENS", "admin=bench-ops"),
            ("ADMISSION_MAX_WAITING", "100000000"),
            // The crowds of some measures come from one address.
            ("HTTP_MAX_CONNECTIONS_PER_ADDRESS", "20000"),
            ("WEBHOOKS_ALLOW_HTTP", "true"),
            ("WEBHOOKS_ALLOW_NETWORKS", "127.0.0.0/8"),
        ];
        settings.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let number = self.gateways.len();
        let gateway = Gateway::new(number, free_address().await?, &self.folder, settings);
        gateway.start(None).await?;
        if role != "worker" {
            gateway.until_ready(&self.http).await?;
        }
        self.gateways.push(gateway);
        Ok(number)
    }

    /// Kills a gateway and waits for its end.
    pub(super) async fn kill(&self, number: usize) -> anyhow::Result<()> {
        let gateway = self.gateway(number)?;
        gateway.kill().await;
        while gateway.reap().await.is_none() {
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    fn gateway(&self, number: usize) -> anyhow::Result<&Gateway> {
        self.gateways
            .get(number)
            .context("there is no gateway with this number")
    }

    /// The URL of a gateway.
    pub(super) fn url(&self, number: usize) -> anyhow::Result<String> {
        Ok(format!("http://{}", self.gateway(number)?.address))
    }

    /// The address of a gateway.
    pub(super) fn address(&self, number: usize) -> anyhow::Result<SocketAddr> {
        Ok(self.gateway(number)?.address)
    }

    /// The memory of a gateway.
    pub(super) async fn memory(&self, number: usize) -> anyhow::Result<Memory> {
        let process = self.gateway(number)?.process().await;
        Memory::of(process.context("a gateway has ended")?)
    }

    /// The CPU time of all running gateways, and the CPU time of Postgres, in microseconds.
    pub(super) async fn cpu_micros(&self) -> anyhow::Result<(u64, u64)> {
        let mut gateways = 0;
        for gateway in &self.gateways {
            if let Some(process) = gateway.process().await {
                gateways += process::cpu_micros(process)?;
            }
        }
        let cluster = self.servers.postgres_folder().await;
        Ok((gateways, process::postgres_cpu_micros(&cluster)?))
    }

    /// The number of calls that a gateway has made to Fineract.
    pub(super) async fn calls(&self, number: usize) -> anyhow::Result<u64> {
        let metrics = self
            .http
            .get(format!("{}/metrics", self.url(number)?))
            .send()
            .await?
            .text()
            .await?;
        let counts = metrics
            .lines()
            .filter(|line| line.starts_with("gateway_fineract_call_seconds_count"))
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
        Ok(counts.sum())
    }

    /// Plans a load on the first gateway. The load sends as fast as the gateway accepts, and does not wait until the
    /// operations have ended.
    pub(super) fn plan(&self, mix: Mix, lasts: Duration) -> anyhow::Result<Plan> {
        Ok(Plan {
            url: self.url(0)?,
            token: TOKEN.to_owned(),
            connections: CLIENTS,
            duration: lasts,
            borrowers: None,
            run: load::new_run(),
            rate: None,
            mix,
            follow: false,
        })
    }

    /// The p99 of the time in which a gateway accepts an operation, in milliseconds, while `rate` operations are sent each
    /// second.
    pub(super) async fn accept_p99(
        &self,
        gateway: usize,
        rate: u32,
        lasts: Duration,
    ) -> anyhow::Result<Milli> {
        let plan = Plan {
            url: self.url(gateway)?,
            rate: Some(rate),
            ..self.plan(Mix::Clients, lasts)?
        };
        let report = Self::drive(&plan).await?;
        Ok(Milli(u64::from(report.accept_micros(990))))
    }

    /// Runs a load. Fails if an answer was not as expected.
    pub(super) async fn drive(plan: &Plan) -> anyhow::Result<Report> {
        let report = load::drive(plan, &ProgressBar::hidden()).await?;
        anyhow::ensure!(report.is_as_expected(), "an answer was not as expected");
        Ok(report)
    }

    /// Waits until all operations in the first database have ended.
    pub(super) async fn until_ended(&self) -> anyhow::Result<()> {
        while self.queue.unended().await? > 0 {
            sleep(POLL).await;
        }
        Ok(())
    }

    /// Ends all processes and removes the folder.
    pub(super) async fn clear(self) -> anyhow::Result<()> {
        for gateway in &self.gateways {
            gateway.kill().await;
        }
        drop(self.gateways);
        self.servers.end().await?;
        Ok(std::fs::remove_dir_all(&self.folder)?)
    }
}
