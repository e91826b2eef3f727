//! `GET /healthz` and `GET /readyz`: for whoever starts, stops and routes to this process.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use tokio::time::timeout;

use super::state::ApiState;
use crate::{domain::FineractHealth, store::StoreError, telemetry::chain};

/// A database that is slower than this is away, as far as routing to this process is concerned.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

/// That the process lives.
#[derive(Debug, Serialize)]
pub(super) struct Liveness {
    status: &'static str,
}

/// Says that the process lives, whatever is around it.
pub(super) async fn report_liveness() -> Json<Liveness> {
    Json(Liveness { status: "alive" })
}

/// Whether requests should come here, and what that rests on.
#[derive(Debug, Serialize)]
pub(super) struct Readiness {
    status: &'static str,
    database: &'static str,
    draining: bool,
    /// Since when everything is on hold; null: it is not. Accepting goes on.
    on_hold_since: Option<String>,
    fineract: Fineract,
    /// How long the oldest answer of Fineract's has not been written; 0: all are. Accepting goes on without it.
    oldest_unwritten_answer_seconds: u64,
    /// The kinds of commands whose keys Fineract ignores: their operations wait. Accepting goes on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys_not_honoured: Vec<String>,
}

/// What the worker of this process last saw of Fineract.
#[derive(Debug, Serialize)]
pub(super) struct Fineract {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// What the gateway's user may not do there, and should.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    missing_permissions: &'static [&'static str],
}

/// Says whether requests should come here: not while the database is away or not migrated, nor during
/// the shutdown. Fineract's state is told, and no reason: accepting goes on without it.
pub(super) async fn report_readiness(
    State(api): State<Arc<ApiState>>,
) -> (StatusCode, Json<Readiness>) {
    let database = match timeout(DATABASE_TIMEOUT, api.store.check()).await {
        Ok(Ok(())) => "ready",
        Ok(Err(error)) => {
            tracing::warn!(error = %chain(&error), "not ready: the database");
            if matches!(error, StoreError::Unknown { .. }) {
                "not_migrated"
            } else {
                "away"
            }
        }
        Err(_) => "away",
    };
    let hold = if database == "ready" {
        let asked = timeout(DATABASE_TIMEOUT, api.store.standing_hold()).await;
        asked.ok().and_then(Result::ok).flatten()
    } else {
        None
    };
    let keys_not_honoured = if database == "ready" {
        timeout(DATABASE_TIMEOUT, api.store.keys_not_honoured())
            .await
            .map_or_else(|_| Vec::new(), Result::unwrap_or_default)
    } else {
        Vec::new()
    };
    let draining = api.draining.is_cancelled();
    let is_ready = database == "ready" && !draining;
    let readiness = Readiness {
        status: if is_ready { "ready" } else { "not_ready" },
        database,
        draining,
        on_hold_since: hold.map(|hold| in_utc(hold.since)),
        fineract: Fineract::seen_by(&api),
        oldest_unwritten_answer_seconds: api.store.oldest_unwritten_answer().as_secs(),
        keys_not_honoured,
    };
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(readiness))
}

impl Fineract {
    /// As the worker of this process last saw it.
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
