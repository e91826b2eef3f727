//! `/fineract/books` and `/fineract/lanes/{lane}/number`: an operator confirms that Fineract's books have changed, or
//! what a number means.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Ops;
use crate::{
    http::{api_error::ApiError, json_body::JsonBody, state::ApiState},
    operations::Problem,
    store::{BooksReport, NewEpoch, NumberConfirmation},
};

/// The error code if the body is not a valid confirmation.
const INVALID: &str = "invalid_confirmation";
/// The longest reason and external id, in characters.
const LONGEST: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EpochBody {
    epoch: i32,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NumberBody {
    number: i64,
    external_id: String,
    reason: String,
}

/// The answer to the confirmation of a number.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "ConfirmedNumber")]
pub(in crate::http) struct ConfirmedBody {
    /// The lane.
    lane: String,
    /// The number in Fineract.
    number: i64,
    /// How many parked operations continue because of the confirmation.
    released: u64,
}

/// Shows the epoch of Fineract's books, and the numbers that are recorded for more than one lane.
pub(in crate::http) async fn show_books(
    State(api): State<Arc<ApiState>>,
) -> Result<Json<BooksReport>, ApiError> {
    Ok(Json(api.store.books().await?))
}

/// Begins a new epoch: the operator confirms that Fineract's books have changed.
pub(in crate::http) async fn confirm_books(
    ops: Ops,
    State(api): State<Arc<ApiState>>,
    body: JsonBody,
) -> Result<Json<NewEpoch>, ApiError> {
    let message = "must have the epoch that ends, as GET /fineract/books shows it, and a reason";
    let EpochBody { epoch, reason } = body.read(INVALID, message)?;
    check(&[("/reason", &reason)])?;
    let operator = ops.because(reason.clone());
    let begun = api.store.confirm_books(epoch, &reason, &operator).await?;
    tracing::warn!(
        epoch = begun.epoch,
        parked = begun.parked,
        "an operator began a new epoch of Fineract's books"
    );
    Ok(Json(begun))
}

/// Records that a number still refers to the client or loan of a lane, although the back office has changed the
/// external id of this client or loan in Fineract.
pub(in crate::http) async fn confirm_number(
    ops: Ops,
    State(api): State<Arc<ApiState>>,
    lane: Result<Path<String>, PathRejection>,
    body: JsonBody,
) -> Result<Json<ConfirmedBody>, ApiError> {
    let Path(lane) = lane.or(Err(ApiError::UnknownLane))?;
    if lane.contains('\0') {
        return Err(ApiError::UnknownLane);
    }
    let message =
        "must have the number, the external_id that Fineract shows under it now, and a reason";
    let NumberBody {
        number,
        external_id,
        reason,
    } = body.read(INVALID, message)?;
    check(&[("/external_id", &external_id), ("/reason", &reason)])?;
    let operator = ops.because(reason.clone());
    let confirmed = NumberConfirmation {
        lane,
        number,
        external_id,
        reason,
    };
    let released = api.store.confirm_number(&confirmed, &operator).await?;
    let released = released.ok_or(ApiError::UnknownLane)?;
    tracing::warn!(
        fineract.number = number,
        released,
        "an operator confirmed what a number means"
    );
    Ok(Json(ConfirmedBody {
        lane: confirmed.lane,
        number,
        released,
    }))
}

/// Checks that each text is neither empty nor too long, and has no NUL.
fn check(texts: &[(&str, &str)]) -> Result<(), ApiError> {
    let problems: Vec<Problem> = texts
        .iter()
        .filter_map(|(pointer, text)| {
            let (code, message) = if text.trim().is_empty() {
                ("empty", "must not be empty")
            } else if text.chars().count() > LONGEST {
                ("too_long", "must have at most 1000 characters")
            } else if text.contains('\0') {
                // Postgres has no texts with NUL.
                ("forbidden_character", "must not contain NUL")
            } else {
                return None;
            };
            Some(Problem {
                pointer: (*pointer).to_owned(),
                code,
                message: message.to_owned(),
            })
        })
        .collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(ApiError::Invalid(problems))
    }
}
