//! Writes every 10 s that this gateway runs, and removes the row at its shutdown.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    config::Config,
    store::{GatewayProcess, Store},
    telemetry::chain,
    worker::Deps,
};

/// The time between two heartbeats.
const EVERY: Duration = Duration::from_secs(10);
/// How long the removal of the row may delay the shutdown.
const REMOVAL: Duration = Duration::from_secs(1);

/// What other gateways may know of this one.
pub(super) fn identity(config: &Config) -> GatewayProcess {
    GatewayProcess {
        id: Uuid::now_v7(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        role: config.role.as_str().to_owned(),
        settings: json!(config.digests()),
        exports_months: config.database.retention.export_to.is_some(),
    }
}

/// Writes heartbeats until `stop` is cancelled, and then removes the row.
pub(super) async fn beat(
    store: Store,
    process: GatewayProcess,
    worker: Option<Arc<Deps>>,
    stop: CancellationToken,
) {
    let beating = keep_beating(&store, &process, worker.as_deref());
    let _: Option<()> = stop.run_until_cancelled(beating).await;
    let removing = tokio::time::timeout(REMOVAL, store.remove_heartbeat(process.id)).await;
    if let Ok(Err(error)) = removing {
        tracing::debug!(error = %chain(&error), "the heartbeat could not be removed");
    }
}

/// Writes a heartbeat from time to time. A heartbeat that the database refuses is left out. Never returns.
async fn keep_beating(store: &Store, process: &GatewayProcess, worker: Option<&Deps>) {
    loop {
        let work = worker.map(|worker| json!(worker.report()));
        if let Err(error) = store.write_heartbeat(process, work).await {
            tracing::debug!(error = %chain(&error), "a heartbeat could not be written");
        }
        tokio::time::sleep(EVERY).await;
    }
}
