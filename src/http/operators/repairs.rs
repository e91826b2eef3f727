//! `/fineract/repairs`: one action on all operations that match a filter, first as a preview.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    Ops,
    query::read_filter,
    reason::{checked_reason, read_reason},
};
use crate::{
    domain::Resolution,
    http::{api_error::ApiError, json_body::JsonBody, state::ApiState},
    operations::Problem,
    store::{Expected, NewRepair, Repair, RepairAction, RepairOf, RepairOptions, RepairReport},
};

/// The error code if the body is not a valid repair.
const INVALID: &str = "invalid_repair";
const MUST: &str = "must have action (retry, cancel, hold, release or resolve), filter (an object), a reason and dry_run; with \
                    dry_run false also expected; may have named; with resolve outcome and nothing_waits, with retry \
                    expires_at";

/// The body of a repair.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RepairBody {
    action: RepairAction,
    filter: Map<String, Value>,
    #[serde(default)]
    reason: String,
    dry_run: bool,
    expected: Option<usize>,
    #[serde(default)]
    named: Vec<Uuid>,
    outcome: Option<Resolution>,
    #[serde(default)]
    nothing_waits: bool,
    expires_at: Option<DateTime<Utc>>,
}

/// The list of repairs.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "Repairs")]
pub(in crate::http) struct RepairsBody {
    /// The newest first.
    repairs: Vec<Repair>,
}

/// Previews a repair, or starts it.
pub(in crate::http) async fn post_repair(
    ops: Ops,
    State(api): State<Arc<ApiState>>,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let body: RepairBody = body.read(INVALID, MUST)?;
    let operator = ops.because(checked_reason(&body.reason)?);
    let (dry_run, expected) = (body.dry_run, body.expected);
    let new = read(body)?;
    if dry_run {
        return Ok(Json(api.store.preview_repair(&new).await?).into_response());
    }
    let must = "must be the number of operations that the preview showed";
    let expected = expected.ok_or_else(|| ApiError::invalid("/expected", INVALID, must))?;
    let id = new.id;
    let expected = Expected::About(expected);
    api.store.start_repair(&new, expected, &operator).await?;
    tracing::info!(repair.id = %id, action = new.action.as_str(), "an operator started a repair");
    let started = api.store.repair(id).await?.ok_or(ApiError::UnknownRepair)?;
    Ok((StatusCode::ACCEPTED, Json(started)).into_response())
}

/// Lists the newest repairs.
pub(in crate::http) async fn list_repairs(
    State(api): State<Arc<ApiState>>,
) -> Result<Json<RepairsBody>, ApiError> {
    let repairs = api.store.repairs().await?;
    Ok(Json(RepairsBody { repairs }))
}

/// Shows a repair and its progress.
pub(in crate::http) async fn show_repair(
    State(api): State<Arc<ApiState>>,
    path: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<RepairReport>, ApiError> {
    let Path(id) = path.or(Err(ApiError::UnknownRepair))?;
    let repair = api.store.repair(id).await?;
    repair.map(Json).ok_or(ApiError::UnknownRepair)
}

/// Stops a repair. What it has done stays done.
pub(in crate::http) async fn stop_repair(
    ops: Ops,
    State(api): State<Arc<ApiState>>,
    path: Result<Path<Uuid>, PathRejection>,
    body: JsonBody,
) -> Result<Json<RepairReport>, ApiError> {
    let Path(id) = path.or(Err(ApiError::UnknownRepair))?;
    let operator = ops.because(read_reason(&body)?);
    if api.store.repair(id).await?.is_none() {
        return Err(ApiError::UnknownRepair);
    }
    api.store.stop_repair(id, &operator).await?;
    tracing::info!(repair.id = %id, "an operator stopped a repair");
    let repair = api.store.repair(id).await?;
    repair.map(Json).ok_or(ApiError::UnknownRepair)
}

/// Checks the filter and the options. All problems are reported together.
fn read(body: RepairBody) -> Result<NewRepair, ApiError> {
    let mut problems = Vec::new();
    let mut problem = |pointer: &str, message: &str| {
        problems.push(Problem {
            pointer: pointer.to_owned(),
            code: INVALID,
            message: message.to_owned(),
        });
    };
    let is_resolve = body.action == RepairAction::Resolve;
    if is_resolve != body.outcome.is_some() || (body.nothing_waits && !is_resolve) {
        let must = "resolve must have outcome, and may have nothing_waits; other actions must not";
        problem("/outcome", must);
    }
    if body.expires_at.is_some() && body.action != RepairAction::Retry {
        problem("/expires_at", "must be given only with retry");
    }
    let mut conditions = Vec::new();
    for (name, value) in body.filter {
        match value {
            Value::String(text) => conditions.push((name, text)),
            // A repair shows its filter in this way.
            Value::Bool(value) if matches!(name.as_str(), "sent" | "retried") => {
                conditions.push((name, value.to_string()));
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => problem(&format!("/filter/{name}"), "must be a text"),
        }
    }
    let filter = match read_filter(conditions.into_iter()) {
        Ok(filter) if filter.is_empty() => {
            problem("/filter", "must have at least one condition");
            None
        }
        Ok(filter) => Some(filter),
        Err(wrong) => {
            problems.extend(wrong);
            None
        }
    };
    match filter {
        Some(filter) if problems.is_empty() => Ok(NewRepair {
            id: Uuid::now_v7(),
            action: body.action,
            operations: RepairOf::Filter(Box::new(filter)),
            options: RepairOptions {
                outcome: body.outcome,
                nothing_waits: body.nothing_waits,
                expires_at: body.expires_at,
            },
            named: body.named,
        }),
        _ => Err(ApiError::Invalid(problems)),
    }
}
