//! Builds a running gateway from its parts, starts it and shuts it down.

mod heartbeat;
mod open_files;
mod parts;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use secrecy::ExposeSecret;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::parts::{api_state, bulk, deployment, door, notice, retention, settings};
use crate::{
    config::Config,
    fineract::{Fineract, Permits, SetupError},
    http::{self, ApiState, Credentials},
    operations,
    store::{self, CompletionNotifier, DatabaseProblem, Store, StoreError},
    telemetry::{self, chain},
    webhooks::{self, Sender},
    worker::{self, CircuitBreaker, Deps},
};

/// The size of the connection pool. Accepting, claiming, starting, completing and tracking each need only one
/// connection at a time, because each handles many operations together. The remaining connections are for other reads.
const POOL_SIZE: u32 = 16;

/// How many reads of Fineract a process without a worker (and so without a concurrency limit) may make at once.
const CALLER_READS: usize = 2;

/// The reason why a gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database is unavailable or has the wrong schema.
    #[error(transparent)]
    Database(#[from] DatabaseProblem),
    /// `serve --on-hold` was requested, but the operations could not be put on hold.
    #[error("could not put everything on hold")]
    Hold(#[from] StoreError),
    /// The client for Fineract could not be created.
    #[error(transparent)]
    Fineract(#[from] SetupError),
    /// The gateway could not listen on the address.
    #[error("cannot listen on HTTP_LISTEN {address}")]
    Listen {
        /// The address in `HTTP_LISTEN`.
        address: SocketAddr,
        /// The operating system's error.
        source: std::io::Error,
    },
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    /// Cancelled first: the gateway becomes unready and ends long polls, but still accepts requests.
    draining: CancellationToken,
    /// Cancelled next: the gateway accepts no new connections, and claims no more operations.
    stopping: CancellationToken,
    /// Cancelled last: ends the completion notifier and the writers, which all other parts need.
    ending: CancellationToken,
    work: TaskTracker,
    writers: TaskTracker,
    grace: Duration,
    /// How long a load balancer has to notice that the gateway is no longer ready.
    notice: Duration,
}

/// Migrates the database that the settings name.
pub async fn migrate(config: &Config) -> Result<(), DatabaseProblem> {
    let pool = store::connect(config.database.url.expose_secret(), 2, None).await?;
    store::migrate(&pool).await
}

/// Puts everything on hold in the database that the settings name, unless everything is on hold already. Called before
/// any part of the gateway runs.
pub async fn keep_on_hold(config: &Config, reason: &str) -> Result<(), StartError> {
    let url = config.database.url.expose_secret();
    let pool = store::connect_migrated(url, 2, Some(store::STATEMENT_TIMEOUT)).await?;
    store::keep_on_hold(&pool, reason, "serve --on-hold").await?;
    Ok(())
}

/// Starts a gateway on a migrated database. The gateway starts even if Fineract is unavailable.
pub async fn start(config: &Config) -> Result<Gateway, StartError> {
    // Install the metrics recorder first, so that it counts what all parts do.
    telemetry::metrics::prometheus();
    let url = config.database.url.expose_secret();
    let pool = store::connect_migrated(url, POOL_SIZE, Some(store::STATEMENT_TIMEOUT)).await?;
    let fineract = config.fineract.as_ref().map(Fineract::new).transpose()?;
    let (listener, address) = listen(config.http.listen)?;
    let gateway = Gateway::idle(address, config);
    let notifier = CompletionNotifier::start(&pool, &gateway.writers, &gateway.ending);
    let fails_dependents = operations::fails_dependents_unsent;
    let store = Store::start(pool, notifier, &gateway.writers, fails_dependents);
    warn_at_start(config, &store).await;
    let deployment = Arc::new(deployment(config));
    let circuit_breaker = CircuitBreaker::default();
    gateway.run_in_background(telemetry::metrics::run_upkeep());
    gateway.run_in_background(store.clone().run_events(config.database.events_kept_for));
    let export_to = config.database.retention.export_to.clone();
    let archiving = store.retention().exporting_to(export_to);
    gateway.run_in_background(archiving.run_daily(retention(config)));
    gateway.run_in_background(store.clone().run_audit_seals());
    let mut state = api_state(
        config,
        &store,
        &deployment,
        &circuit_breaker,
        &gateway.draining,
    );
    if let Some(fineract) = &fineract {
        state.lacks_read_audit = fineract.lacks_read_audit();
    }
    let runner = fineract
        .clone()
        .filter(|_| config.role.works_queue())
        .map(|fineract| {
            Arc::new(Deps::new(
                store.clone(),
                fineract,
                deployment,
                settings(config),
                circuit_breaker,
            ))
        });
    let reads = match &runner {
        Some(runner) => Some(runner.reads()),
        None => fineract.map(|fineract| (fineract, Arc::new(Permits::new(CALLER_READS)))),
    };
    if config.role.serves_api() {
        state.bulk = bulk(config, reads);
        state.credentials = Credentials::start(&store.credentials()).await;
        gateway.run_for_callers(&store, &state);
    }
    gateway.run_heartbeat(config, &store, runner.clone());
    if let Some(tls) = &config.http.tls {
        gateway.run_in_background(tls.clone().follow_files());
    }
    let door = door(&config.http, listener);
    gateway.run(http::serve(door, state, gateway.stopping.clone()));
    if let Some(runner) = runner {
        gateway.run_worker(runner, store);
    }
    Ok(gateway)
}

/// Logs warnings about this deployment at each start: an active hold, and a missing payment type.
async fn warn_at_start(config: &Config, store: &Store) {
    match store.active_hold().await {
        Ok(Some(hold)) => {
            tracing::warn!(since = %hold.since, "everything is on hold: nothing is sent until operators release it");
        }
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(error = %chain(&error), "cannot read yet whether everything is on hold");
        }
    }
    if config.operations.payment_type.is_none() {
        tracing::warn!(
            "FINERACT_PAYMENT_TYPE is not set: UTRs are stored in notes, so only the gateway checks for duplicate payments, and only if Fineract shows the loan's notes"
        );
    }
}

/// How many new connections the kernel keeps until the gateway accepts them. Of more, the clients wait a second or longer.
const NEW_CONNECTIONS: u32 = 4096;

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }
    .map_err(failed)?;
    // As `TcpListener::bind` does it.
    socket.set_reuseaddr(true).map_err(failed)?;
    socket.bind(address).map_err(failed)?;
    let listener = socket.listen(NEW_CONNECTIONS).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

impl Gateway {
    /// A gateway whose parts do not run yet.
    fn idle(address: SocketAddr, config: &Config) -> Self {
        Self {
            address,
            draining: CancellationToken::new(),
            stopping: CancellationToken::new(),
            ending: CancellationToken::new(),
            work: TaskTracker::new(),
            writers: TaskTracker::new(),
            grace: config.worker.shutdown_grace,
            notice: notice(config),
        }
    }

    /// The address on which the gateway listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs a part until the gateway stops. If the part ends or panics while the gateway is not being stopped, the
    /// gateway stops too.
    fn run(&self, part: impl Future<Output = ()> + Send + 'static) {
        let stops_the_gateway = self.stopping.clone().drop_guard();
        self.work.spawn(async move {
            part.await;
            drop(stops_the_gateway);
        });
    }

    /// Runs what a process that serves callers does beside answering them.
    fn run_for_callers(&self, store: &Store, state: &ApiState) {
        self.run_in_background(store.clone().watch_backlog());
        let credentials = state.credentials.clone();
        self.run_in_background(credentials.watch(store.credentials()));
        self.run(http::run_repairs(state.clone(), self.stopping.clone()));
        match Sender::new(state.webhooks.clone(), webhooks::TIMEOUT) {
            Ok(sender) => {
                let stop = self.stopping.clone();
                self.run(http::run_webhooks(state.clone(), sender, stop));
            }
            Err(error) => {
                tracing::error!(error = %chain(&error), "webhooks are not delivered: are the system's CA certificates installed?");
            }
        }
    }

    /// Writes until the shutdown that this gateway runs.
    fn run_heartbeat(&self, config: &Config, store: &Store, worker: Option<Arc<Deps>>) {
        let process = heartbeat::identity(config);
        let stop = self.stopping.clone();
        self.run(heartbeat::beat(store.clone(), process, worker, stop));
    }

    /// Runs the worker, and the tasks that end operations without sending them.
    fn run_worker(&self, runner: Arc<Deps>, store: Store) {
        self.run_in_background(runner.reads().0.watch_audit_permission());
        self.run(worker::run(runner, self.stopping.clone()));
        self.run(store.clone().run_cascade(self.stopping.clone()));
        self.run(store.run_expiry(self.stopping.clone()));
    }

    /// Runs a task until the end of the shutdown; nothing waits for the task.
    fn run_in_background(&self, task: impl Future<Output = ()> + Send + 'static) {
        let ending = self.ending.clone();
        self.writers.spawn(async move {
            ending.run_until_cancelled(task).await;
        });
    }

    /// Waits until the gateway stops by itself, which happens only if a part has failed.
    pub async fn failed(&self) {
        self.stopping.cancelled().await;
    }

    /// Shuts down. First the gateway becomes unready. Then it stops accepting and claiming. Then the operations in
    /// flight end. Another process runs the operations that remain after the grace period, once their leases have
    /// expired. Returns `true` if no operation remained.
    pub async fn shut_down(self) -> bool {
        self.draining.cancel();
        // Load balancers notice the failed readiness and use other gateways before this one refuses requests.
        tokio::time::sleep(self.notice).await;
        self.stopping.cancel();
        self.work.close();
        let finished =
            tokio::time::timeout(self.grace.saturating_sub(self.notice), self.work.wait())
                .await
                .is_ok();
        self.ending.cancel();
        self.writers.close();
        finished
    }
}
