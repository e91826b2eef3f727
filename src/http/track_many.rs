//! `POST /fineract/track`: reports the states of many operations at once, for callers that poll many.

use std::sync::Arc;

use axum::{Json, extract::State, response::IntoResponse};
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    access::Caller, api_error::ApiError, json_body::JsonBody, state::ApiState, track::TrackBody,
};
use crate::{domain::TrackingId, operations::Problem};

/// How many operations a request may ask for.
pub(super) const MOST: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    tracking_ids: Vec<String>,
}

/// The body of the answer.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "TrackedOperations")]
pub(super) struct ManyBody {
    /// What track answers for each operation, in the order of the request.
    operations: Vec<TrackBody>,
    /// The tracking ids of no operation of yours, and those of a type that this gateway does not know.
    unknown: Vec<String>,
    /// Those of your operations whose data was dropped because of its age. Missing if there are none.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    dropped: Vec<DroppedBody>,
}

/// An operation whose data was dropped.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "DroppedOperation")]
struct DroppedBody {
    /// The operation.
    tracking_id: TrackingId,
    /// The day (UTC) on which its data was dropped.
    dropped_on: NaiveDate,
}

/// Reports the states of operations.
pub(super) async fn track_many(
    caller: Caller,
    State(api): State<Arc<ApiState>>,
    body: JsonBody,
) -> Result<impl IntoResponse, ApiError> {
    let asked: Asked = body.read(
        "invalid_track",
        "must have tracking_ids, a list of tracking ids, and nothing else",
    )?;
    let (tracking_ids, unknown) = tracking_ids(asked.tracking_ids)?;
    let tracked = api
        .store
        .track_all(&tracking_ids, caller.tracks_only())
        .await?;
    let mut answer = ManyBody {
        operations: Vec::new(),
        unknown,
        dropped: Vec::new(),
    };
    let mut missing = Vec::new();
    for (tracking_id, tracked) in tracking_ids.into_iter().zip(tracked) {
        match tracked {
            Some(tracked) => answer.operations.push(TrackBody::of(tracking_id, tracked)),
            None => missing.push(tracking_id),
        }
    }
    if !missing.is_empty() {
        let dropped = api.store.dropped_of(&missing, caller.tracks_only()).await?;
        for tracking_id in missing {
            match dropped.get(&tracking_id) {
                Some(at) => answer.dropped.push(DroppedBody {
                    tracking_id,
                    dropped_on: at.date_naive(),
                }),
                None => answer.unknown.push(tracking_id.to_string()),
            }
        }
    }
    Ok(Json(answer))
}

/// Reads the tracking ids. Those of a type that this gateway does not know come second: a newer gateway may have accepted
/// them. The error lists every one that is malformed.
fn tracking_ids(texts: Vec<String>) -> Result<(Vec<TrackingId>, Vec<String>), ApiError> {
    if !(1..=MOST).contains(&texts.len()) {
        let must = "must have 1 to 500 tracking ids";
        return Err(ApiError::invalid("/tracking_ids", "invalid_track", must));
    }
    let (mut ids, mut unknown, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for (place, text) in texts.into_iter().enumerate() {
        let uuid = text.split_once('|').map(|(_, uuid)| Uuid::try_parse(uuid));
        match (text.parse(), uuid) {
            (Ok(id), _) => ids.push(id),
            (Err(_), Some(Ok(_))) => unknown.push(text),
            (Err(_), _) => problems.push(Problem {
                pointer: format!("/tracking_ids/{place}"),
                code: "invalid_track",
                message: "must be a tracking id, such as LOAN_CREATE|01a1fdee-…".to_owned(),
            }),
        }
    }
    if problems.is_empty() {
        Ok((ids, unknown))
    } else {
        Err(ApiError::Invalid(problems))
    }
}
