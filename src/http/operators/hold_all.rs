//! `/fineract/hold`: how operators release operations after everything was put on hold.
//!
//! The command `hold-all` puts everything on hold, typically after a restore of the database. Operators compare the
//! operations with Fineract and then release them here.

use std::sync::Arc;

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Ops;
use crate::{
    domain::OperationType,
    http::{api_error::ApiError, json_body::JsonBody, state::ApiState},
    store::{CountOnHold, HoldAll, HoldFilter, Released, Unfit},
};

/// The code of a problem with the body of these routes.
const INVALID: &str = "invalid_release";
/// The longest reason, in characters.
const LONGEST_REASON: usize = 1_000;
const DEFAULT_LIMIT: u32 = 10_000;
const LARGEST_LIMIT: u32 = 100_000;

/// The hold-all, if it is active, and the operations on hold.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "HoldReport")]
pub(in crate::http) struct HoldBody {
    /// The active hold-all, which also puts newly accepted operations on hold; null if none is active.
    hold: Option<HoldAll>,
    /// The operations on hold, by type.
    on_hold: Vec<CountOnHold>,
}

/// What to release: the operations that match a filter, or all of them. Unknown keys are refused, because a misspelt part
/// of the filter would otherwise be ignored, and too much would be released.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseBody {
    reason: String,
    #[serde(default)]
    all: bool,
    limit: Option<u32>,
    r#type: Option<String>,
    lender: Option<String>,
    lane: Option<String>,
    accepted_after: Option<DateTime<Utc>>,
    accepted_before: Option<DateTime<Utc>>,
    sent: Option<bool>,
}

/// The body of a request to end the hold-all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndBody {
    reason: String,
}

/// Shows the active hold-all, and how many operations are on hold.
pub(in crate::http) async fn show_hold(
    State(api): State<Arc<ApiState>>,
) -> Result<Json<HoldBody>, ApiError> {
    Ok(Json(HoldBody {
        hold: api.store.active_hold().await?,
        on_hold: api.store.count_on_hold().await?,
    }))
}

/// Releases operations that the hold-all has put on hold.
pub(in crate::http) async fn release_on_hold(
    ops: Ops,
    State(api): State<Arc<ApiState>>,
    body: JsonBody,
) -> Result<Json<Released>, ApiError> {
    const MUST: &str = "must have a reason, and either a filter (type, lender, lane, accepted_after, accepted_before, sent) \
                        or \"all\": true; may have a limit (1 to 100000)";
    let body: ReleaseBody = body.read(INVALID, MUST)?;
    let filter = HoldFilter {
        operation_type: body.r#type,
        lender: body.lender,
        lane: body.lane,
        accepted_after: body.accepted_after,
        accepted_before: body.accepted_before,
        sent: body.sent,
    };
    let limit = body.limit.unwrap_or(DEFAULT_LIMIT);
    if body.all != filter.is_empty() || !(1..=LARGEST_LIMIT).contains(&limit) {
        return Err(invalid("", MUST));
    }
    let is_known = |name: &String| OperationType::from_name(name).is_some();
    if !filter.operation_type.as_ref().is_none_or(is_known) {
        return Err(invalid("/type", "must be the type of an operation"));
    }
    // Postgres has no texts with NUL.
    for (pointer, text) in [("/lender", &filter.lender), ("/lane", &filter.lane)] {
        if text.as_ref().is_some_and(|text| text.contains('\0')) {
            return Err(invalid(pointer, "must not contain NUL"));
        }
    }
    let reason = checked(&body.reason)?;
    let operator = ops.because(reason.to_owned());
    let released = api
        .store
        .release_on_hold(&filter, limit.into(), reason, &operator)
        .await?;
    tracing::info!(
        released = released.released,
        "an operator released operations that were on hold"
    );
    Ok(Json(released))
}

/// Ends the hold-all: operations that are accepted from now on are not on hold.
pub(in crate::http) async fn end_hold(
    ops: Ops,
    State(api): State<Arc<ApiState>>,
    body: JsonBody,
) -> Result<Json<HoldBody>, ApiError> {
    let EndBody { reason } = body.read(INVALID, "must have a reason, and nothing else")?;
    let reason = checked(&reason)?;
    let operator = ops.because(reason.to_owned());
    if api.store.end_hold(reason, &operator).await?.is_none() {
        return Err(Unfit::NoHold.into());
    }
    tracing::info!("an operator ended the hold-all; operations accepted from now on run");
    show_hold(State(api)).await
}

fn checked(reason: &str) -> Result<&str, ApiError> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON || reason.contains('\0') {
        let must = "must have 1 to 1000 characters, without NUL";
        return Err(invalid("/reason", must));
    }
    Ok(reason)
}

fn invalid(pointer: &str, message: &str) -> ApiError {
    ApiError::invalid(pointer, INVALID, message)
}
