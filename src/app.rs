//! The wiring of a running gateway: what it is made of, its start and its end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use secrecy::ExposeSecret;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::{Config, NamedSecret},
    domain::decision::Patience,
    fineract::{Fineract, Permits, SetupError},
    http::{self, ApiState, Balances, Budgets, Bulk, BulkClients, Tokens},
    operations::{self, Deployment},
    store::{self, CompletionNotifier, DatabaseProblem, Store, StoreError},
    telemetry::{self, chain},
    worker::{self, CircuitBreaker, Deps, Settings},
};

/// Connections to Postgres: accepting, claiming, starting and settling each write one batch at a time,
/// tracking reads one, and the rest are for other reads.
const CONNECTIONS: u32 = 16;

/// Reads of Fineract at once for callers of a process that works no queue, and so learns no limit.
const READS: usize = 2;

/// How long requests are still taken after the readiness has failed, at most.
const NOTICE: Duration = Duration::from_secs(1);

/// Why a gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database is not as it has to be.
    #[error(transparent)]
    Database(#[from] DatabaseProblem),
    /// Everything was to be on hold before anything runs, and is not.
    #[error("not everything could be put on hold")]
    Hold(#[from] StoreError),
    /// The client for Fineract cannot be made.
    #[error(transparent)]
    Fineract(#[from] SetupError),
    /// The address cannot be listened on.
    #[error("HTTP_LISTEN {address} cannot be listened on")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    /// Readiness fails and long polls end; nothing new is accepted.
    draining: CancellationToken,
    /// No new connection, no new claim.
    stopping: CancellationToken,
    /// What the others rest on ends last: the waiters and the notifications.
    ending: CancellationToken,
    work: TaskTracker,
    writers: TaskTracker,
    grace: Duration,
    /// How long whoever routes callers to this process has to notice that it ends.
    notice: Duration,
}

/// Migrates the database that the settings name.
pub async fn migrate(config: &Config) -> Result<(), DatabaseProblem> {
    let pool = store::connect(config.database.url.expose_secret(), 2, None).await?;
    store::migrate(&pool).await
}

/// Sees to it that everything is on hold in the database that the settings name, before anything runs.
pub async fn keep_on_hold(config: &Config, reason: &str) -> Result<(), StartError> {
    let url = config.database.url.expose_secret();
    let pool = store::connect(url, 2, Some(store::STATEMENT_TIMEOUT)).await?;
    store::require_migrated(&pool).await?;
    store::keep_on_hold(&pool, reason, "serve --on-hold").await?;
    Ok(())
}

/// Starts a gateway on a migrated database. Fineract being away is no reason not to start.
pub async fn start(config: &Config) -> Result<Gateway, StartError> {
    // From here on the parts count what they do.
    telemetry::metrics::prometheus();
    let url = config.database.url.expose_secret();
    let pool = store::connect(url, CONNECTIONS, Some(store::STATEMENT_TIMEOUT)).await?;
    store::require_migrated(&pool).await?;
    let fineract = config.fineract.as_ref().map(Fineract::new).transpose()?;
    let (listener, address) = listen(config.http.listen).await?;
    let gateway = Gateway {
        address,
        draining: CancellationToken::new(),
        stopping: CancellationToken::new(),
        ending: CancellationToken::new(),
        work: TaskTracker::new(),
        writers: TaskTracker::new(),
        grace: config.worker.shutdown_grace,
        notice: notice(config),
    };
    let notifier = CompletionNotifier::start(&pool, &gateway.writers, &gateway.ending);
    let store = Store::start(
        pool,
        notifier,
        &gateway.writers,
        operations::fails_dependents_unsent,
    );
    warn_at_start(config, &store).await;
    let deployment = Arc::new(deployment(config));
    let circuit_breaker = CircuitBreaker::default();
    gateway.run_aside(telemetry::metrics::keep_up());
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
            Deps::new(
                store.clone(),
                fineract,
                deployment,
                settings(config),
                circuit_breaker,
            )
        });
    let reads = match &runner {
        Some(runner) => Some(runner.reads()),
        None => fineract.map(|fineract| (fineract, Arc::new(Permits::new(READS)))),
    };
    if config.role.serves_api() {
        state.bulk = bulk(config, reads);
        gateway.run_aside(store.clone().watch_backlog());
    }
    let serving = http::serve(listener, state, gateway.stopping.clone());
    gateway.run(serving);
    if let Some(runner) = runner {
        gateway.run_aside(runner.reads().0.watch_right_to_audits());
        gateway.run(worker::run(Arc::new(runner), gateway.stopping.clone()));
        gateway.run(store.clone().run_cascade(gateway.stopping.clone()));
        gateway.run(store.run_expiry(gateway.stopping.clone()));
    }
    Ok(gateway)
}

/// Says at every start what whoever starts it should know.
async fn warn_at_start(config: &Config, store: &Store) {
    match store.active_hold().await {
        Ok(Some(hold)) => {
            tracing::warn!(since = %hold.since, "everything is on hold: nothing is sent until operators release it");
        }
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(error = %chain(&error), "it is not known yet whether everything is on hold");
        }
    }
    if config.operations.payment_type.is_none() {
        tracing::warn!(
            "FINERACT_PAYMENT_TYPE is not set: a UTR stands in a note, where only the gateway looks for it before it pays, and only as far as Fineract shows the loan's notes"
        );
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

impl Gateway {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs a part until the gateway stops; a part that ends or panics by itself stops the gateway.
    fn run(&self, part: impl Future<Output = ()> + Send + 'static) {
        let stops_the_gateway = self.stopping.clone().drop_guard();
        self.work.spawn(async move {
            part.await;
            drop(stops_the_gateway);
        });
    }

    /// Runs something that nothing waits for, to the very end.
    fn run_aside(&self, aside: impl Future<Output = ()> + Send + 'static) {
        let ending = self.ending.clone();
        self.writers.spawn(async move {
            ending.run_until_cancelled(aside).await;
        });
    }

    /// Waits until the gateway ends by itself, which it does only when a part of it has failed.
    pub async fn failed(&self) {
        self.stopping.cancelled().await;
    }

    /// Ends: readiness fails first, then nothing is accepted or claimed any more, then what is in flight
    /// ends. What is left after the grace runs elsewhere after its lease. Whether nothing was left.
    pub async fn shut_down(self) -> bool {
        self.draining.cancel();
        // Whoever routes to us sees the readiness fail, and goes elsewhere, before anybody is refused.
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

/// A process without callers need not wait until nobody is routed to it.
fn notice(config: &Config) -> Duration {
    if config.role.serves_api() {
        NOTICE.min(config.worker.shutdown_grace / 10)
    } else {
        Duration::ZERO
    }
}

fn deployment(config: &Config) -> Deployment {
    Deployment {
        office_id: config.operations.office_id,
        payment_type: config.operations.payment_type.clone(),
        lenders: config.operations.lenders.clone(),
    }
}

fn settings(config: &Config) -> Settings {
    let fineract = config.fineract.as_ref();
    Settings {
        lease: config.worker.lease,
        max_in_flight: fineract.map_or(1, |fineract| fineract.max_in_flight),
        loan_create_per_lender: fineract
            .map_or(1, |fineract| fineract.loan_create_per_lender.into()),
        patience: Patience {
            stuck_after: config.worker.stuck_after,
        },
        keys_kept_for: config.worker.keys_kept_for,
        park_after: config.worker.park_after,
    }
}

fn api_state(
    config: &Config,
    store: &Store,
    deployment: &Arc<Deployment>,
    circuit_breaker: &CircuitBreaker,
    draining: &CancellationToken,
) -> ApiState {
    let named = |secrets: &[NamedSecret]| -> Vec<_> {
        secrets
            .iter()
            .map(|secret| (secret.name.clone(), secret.secret.clone()))
            .collect()
    };
    ApiState {
        has_callers: config.role.serves_api(),
        store: store.clone(),
        deployment: Arc::clone(deployment),
        tokens: Tokens::new(
            &named(&config.http.internal_tokens),
            &named(&config.http.ops_tokens),
        ),
        api_keys: Tokens::new(&named(&config.http.api_keys), &[]),
        budgets: Budgets::default(),
        currency: config.http.currency.clone(),
        bulk: Bulk::off(),
        base_paths: config.http.base_paths.clone(),
        max_waiting: u64::try_from(config.http.admission_max_waiting).unwrap_or(u64::MAX),
        fineract: circuit_breaker.health(),
        lacks_read_audit: watch::channel(false).1,
        draining: draining.clone(),
    }
}

fn bulk(config: &Config, reads: Option<(Fineract, Arc<Permits>)>) -> Bulk {
    Bulk::new(
        BulkClients::new(&config.http.bulk_clients),
        config.http.bulk_max_rows,
        reads.map(|(fineract, permits)| Balances::new(fineract, permits)),
    )
}
