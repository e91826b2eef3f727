//! `POST /fineract/operations/{id}/resolve`: an operator states how a parked operation ended.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, State},
    http::StatusCode,
    response::IntoResponse,
};
use serde::Deserialize;

use super::{ActionBody, Named, Ops, answer_action, reason::checked_reason};
use crate::{
    domain::Resolution,
    http::{api_error::ApiError, json_body::JsonBody, state::ApiState},
};

/// The longest note, in characters.
const LONGEST_NOTE: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResolveBody {
    outcome: Resolution,
    #[serde(default)]
    reason: String,
    note: Option<String>,
    #[serde(default)]
    nothing_waits: bool,
}

/// Records the resolution of an operation that is parked, or that is on hold and `ready`. A worker then reads Fineract.
/// If Fineract does not contradict the resolution, the worker ends the operation; otherwise it parks the operation
/// again. The worker sends no command that Fineract would execute.
pub(in crate::http) async fn resolve_operation(
    ops: Ops,
    State(api): State<Arc<ApiState>>,
    OriginalUri(uri): OriginalUri,
    named: Named,
    body: JsonBody,
) -> Result<impl IntoResponse, ApiError> {
    let ResolveBody {
        outcome,
        reason,
        note,
        nothing_waits,
    } = read(&body)?;
    let operator = ops.because(checked_reason(&reason)?);
    let found = named.find(&api).await?;
    api.store
        .resolve(&found, (outcome, nothing_waits), note.as_deref(), &operator)
        .await?;
    let body = ActionBody {
        tracking_id: found.tracking_id,
        retry_of: None,
        status: "processing",
    };
    Ok((StatusCode::ACCEPTED, answer_action("resolve", &uri, body)))
}

fn read(body: &JsonBody) -> Result<ResolveBody, ApiError> {
    let must = "must have an outcome, succeeded or failed, and a reason, and may have a note, and nothing_waits, true or false";
    let read: ResolveBody = body.read("invalid_resolution", must)?;
    let note = read.note.as_deref().unwrap_or_default();
    if note.chars().count() > LONGEST_NOTE {
        let must = "must have at most 1000 characters";
        return Err(ApiError::invalid("/note", "too_long", must));
    }
    // Postgres has no texts with NUL.
    if note.contains('\0') {
        let must = "must not contain NUL";
        return Err(ApiError::invalid("/note", "forbidden_character", must));
    }
    Ok(read)
}
