//! `GET /healthz` and `GET /readyz`: for the software that starts and stops this process and routes requests to it.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::state::ApiState;
use crate::domain::FineractHealth;

/// The body of `/healthz`.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Liveness {
    /// Always `alive`.
    status: &'static str,
}

/// Reports that the process is alive, regardless of the state of the database and of Fineract.
pub(super) async fn report_liveness() -> Json<Liveness> {
    Json(Liveness { status: "alive" })
}

/// The body of `/readyz`.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Readiness {
    /// `ready` or `not_ready`.
    #[schemars(extend("enum" = ["ready", "not_ready"]))]
    status: &'static str,
    /// `ready`, `not_migrated` or `away`.
    #[schemars(extend("enum" = ["ready", "not_migrated", "away"]))]
    database: &'static str,
    /// Whether the process is shutting down.
    draining: bool,
    /// Since when everything is on hold; null if no hold-all is active. A hold-all does not make the process unready.
    on_hold_since: Option<String>,
    /// Fineract as this process sees it.
    fineract: Fineract,
    /// The age of the oldest answer of Fineract that the gateway cannot write to the database yet; 0 if there is none.
    /// Such an answer does not make the process unready.
    oldest_unwritten_answer_seconds: u64,
    /// The kinds of commands for which Fineract does not honour idempotency keys. The operations with these commands
    /// wait. The process stays ready, because it can still accept operations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys_not_honoured: Vec<String>,
}

/// The state of Fineract, as the worker of this process last saw it.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "FineractHealth")]
pub(super) struct Fineract {
    /// `open`, `blocked`, or `unknown` if this process has no worker.
    #[schemars(extend("enum" = ["unknown", "open", "blocked"]))]
    pub(super) state: &'static str,
    /// Why the gateway sends nothing at present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'static str>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<String>,
    /// The permissions that the gateway's user in Fineract should have, but lacks.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) missing_permissions: &'static [&'static str],
}

/// Reports whether requests should be routed to this process. The process is not ready while the database is
/// unavailable or not migrated, and during shutdown. The answer also shows the state of Fineract. This state does not
/// make the process unready, because the gateway accepts operations without Fineract.
pub(super) async fn report_readiness(
    State(api): State<Arc<ApiState>>,
) -> (StatusCode, Json<Readiness>) {
    let database = api.database_probe.look(&api.store).await;
    let draining = api.draining.is_cancelled();
    let is_ready = database.state == "ready" && !draining;
    let readiness = Readiness {
        status: if is_ready { "ready" } else { "not_ready" },
        database: database.state,
        draining,
        on_hold_since: database.on_hold_since.map(in_utc),
        fineract: Fineract::seen_by(&api),
        oldest_unwritten_answer_seconds: api.store.oldest_unwritten_answer().as_secs(),
        keys_not_honoured: database.keys_not_honoured,
    };
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(readiness))
}

impl Fineract {
    /// The state as the worker of this process last saw it.
    pub(super) fn seen_by(api: &ApiState) -> Self {
        let (state, blocked) = match *api.fineract.borrow() {
            FineractHealth::Unknown => ("unknown", None),
            FineractHealth::Open => ("open", None),
            FineractHealth::Blocked { reason, since } => ("blocked", Some((reason, since))),
        };
        Self {
            state,
            reason: blocked.map(|(reason, _)| reason),
            since: blocked.map(|(_, since)| in_utc(since)),
            missing_permissions: if *api.lacks_read_audit.borrow() {
                &["READ_AUDIT"]
            } else {
                &[]
            },
        }
    }
}

fn in_utc(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
