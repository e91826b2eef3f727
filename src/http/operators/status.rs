//! `GET /fineract/status`: the state of the whole system on one page.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    http::{api_error::ApiError, health::Fineract, state::ApiState},
    store::{CountOnHold, HoldAll, RunningGateway, SystemStatus},
};

/// The state of the whole system.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "SystemReport")]
pub(in crate::http) struct StatusBody {
    /// The state of Fineract as this process sees it; `unknown` if this process has no worker.
    pub(in crate::http) fineract: Fineract,
    /// The active hold-all; null if none is active.
    pub(in crate::http) hold: Option<HoldAll>,
    /// The operations on hold, by type.
    pub(in crate::http) on_hold: Vec<CountOnHold>,
    /// The queue and the database.
    #[serde(flatten)]
    pub(in crate::http) system: SystemStatus,
    /// The age of the oldest answer of Fineract that this process cannot write.
    pub(in crate::http) oldest_unwritten_answer_seconds: u64,
    /// The gateways that have written a heartbeat within the last 30 s.
    pub(in crate::http) gateways: Vec<RunningGateway>,
    /// The settings whose values are not the same in all of these gateways.
    pub(in crate::http) settings_that_differ: Vec<String>,
    /// How many repairs are running.
    pub(in crate::http) repairs_running: usize,
}

/// Shows the state of the whole system.
pub(in crate::http) async fn show_status(
    State(api): State<Arc<ApiState>>,
) -> Result<Json<StatusBody>, ApiError> {
    read_status(&api).await.map(Json)
}

/// Reads the state of the whole system.
pub(in crate::http) async fn read_status(api: &ApiState) -> Result<StatusBody, ApiError> {
    let lenders = api.deployment.lenders.iter().map(|(name, _)| name.clone());
    let lenders: Vec<String> = lenders.collect();
    let gateways = api.store.running_gateways().await?;
    let repairs = api.store.repairs().await?;
    Ok(StatusBody {
        fineract: Fineract::seen_by(api),
        hold: api.store.active_hold().await?,
        on_hold: api.store.count_on_hold().await?,
        system: api.store.system_status(&lenders).await?,
        oldest_unwritten_answer_seconds: api.store.oldest_unwritten_answer().as_secs(),
        settings_that_differ: settings_that_differ(&gateways),
        gateways,
        repairs_running: repairs.iter().filter(|repair| repair.is_running()).count(),
    })
}

fn settings_that_differ(gateways: &[RunningGateway]) -> Vec<String> {
    let mut digests: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let settings = gateways
        .iter()
        .filter_map(|gateway| gateway.settings.as_object());
    for (name, digest) in settings.flatten() {
        let digest = digest.as_str().unwrap_or_default();
        digests.entry(name).or_default().insert(digest);
    }
    let differ = digests.into_iter().filter(|(_, digests)| digests.len() > 1);
    differ.map(|(name, _)| name.to_owned()).collect()
}
