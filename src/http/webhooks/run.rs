//! Delivers to every endpoint that no other process delivers to.

use std::{collections::HashSet, time::Duration};

use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::deliver::Deliverer;
use crate::{http::state::ApiState, telemetry::chain, webhooks::Sender};

/// The pause before this process looks for endpoints again, and renews its leases.
const PAUSE: Duration = Duration::from_secs(1);

/// Delivers until `stop` is cancelled. Then it waits for the deliveries that are under way.
pub async fn run_webhooks(api: ApiState, sender: Sender, stop: CancellationToken) {
    let process = Uuid::new_v4();
    let mut running = HashSet::new();
    // Each endpoint has a task of its own, so that none holds up another.
    let mut tasks = JoinSet::new();
    while !stop.is_cancelled() {
        match api.store.lease_webhooks(process).await {
            Ok(leased) => {
                for endpoint in leased {
                    let id = endpoint.0;
                    if !running.insert(id) {
                        continue;
                    }
                    let deliverer = Deliverer::new(&api, &sender, process, endpoint);
                    let stop = stop.clone();
                    tasks.spawn(async move {
                        deliverer.run(stop).await;
                        id
                    });
                }
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "webhooks could not be leased; trying again");
            }
        }
        let _: Option<()> = stop.run_until_cancelled(sleep(PAUSE)).await;
        while let Some(ended) = tasks.try_join_next() {
            match ended {
                Ok(endpoint) => {
                    running.remove(&endpoint);
                }
                // Which endpoint it was is not known, so all of them begin anew.
                Err(error) => {
                    tracing::error!(%error, "delivering to a webhook endpoint failed; beginning anew");
                    tasks.shutdown().await;
                    running.clear();
                }
            }
        }
    }
    while tasks.join_next().await.is_some() {}
    if let Err(error) = api.store.leave_webhooks(process).await {
        tracing::debug!(error = %chain(&error), "webhook endpoints stay with this process until their leases end");
    }
}
