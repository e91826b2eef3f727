//! `GET /fineract/track/{tracking_id}` (document 000).

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::Uri,
    response::{AppendHeaders, IntoResponse},
};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{ApiState, Caller, error::ApiError, prefer::Wait};
use crate::{
    domain::{OperationType, State as OperationState, TrackingId, untouched},
    store::Tracked,
};

/// The route, behind any base path.
pub(super) const ROUTE: &str = "/fineract/track/{tracking_id}";

/// When the document's client polls (document 000: every 2 to 3 seconds).
pub(super) const POLL_AFTER_SECONDS: u16 = 2;

/// The operation that a request to this route names, where it names one.
pub(super) fn named(matched_path: &str, uri: &Uri) -> Option<TrackingId> {
    let (_, last) = uri.path().rsplit_once('/')?;
    let text = percent_decode_str(last).decode_utf8().ok()?;
    matched_path
        .ends_with(ROUTE)
        .then(|| text.parse().ok())
        .flatten()
}

/// The three shapes of the document, key for key and in its order.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum TrackBody {
    /// Not ended, or accepted just now.
    Processing {
        /// The operation.
        tracking_id: TrackingId,
        /// `processing`.
        status: &'static str,
    },
    /// Ended, either way.
    Ended(Box<EndedBody>),
}

/// An operation's end.
#[derive(Debug, Serialize)]
pub struct EndedBody {
    tracking_id: TrackingId,
    operation_type: OperationType,
    status: &'static str,
    success_response: Option<Box<RawValue>>,
    failure_response: Option<Box<RawValue>>,
    error_message: Option<String>,
    processed_at: Option<String>,
}

impl TrackBody {
    /// The shape of an operation that has not ended.
    pub fn processing(tracking_id: TrackingId) -> Self {
        Self::Processing {
            tracking_id,
            status: "processing",
        }
    }

    /// The shape of an operation as it was read.
    pub fn of(tracking_id: TrackingId, tracked: Tracked) -> Self {
        let status = match tracked.state {
            OperationState::Waiting
            | OperationState::Ready
            | OperationState::Running
            | OperationState::Parked => return Self::processing(tracking_id),
            OperationState::Succeeded => "success",
            OperationState::Failed => "failed",
        };
        Self::Ended(Box::new(EndedBody {
            tracking_id,
            operation_type: tracking_id.operation_type,
            status,
            success_response: tracked.success.and_then(untouched),
            failure_response: tracked.failure.and_then(untouched),
            error_message: tracked.message,
            processed_at: tracked
                .ended_at
                .map(|ended_at| ended_at.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()),
        }))
    }
}

/// Says where an operation stands; with `Prefer: wait=N`, once it has ended or the time is up. Errors that may
/// pass are told in the shape of an operation that has not ended ([`Shape::Track`](super::tell::Shape)).
pub(super) async fn track_operation(
    _: Caller,
    State(api): State<Arc<ApiState>>,
    path: Result<Path<String>, PathRejection>,
    wait: Wait,
) -> Result<impl IntoResponse, ApiError> {
    let tracking_id = path
        .ok()
        .and_then(|Path(text)| text.parse().ok())
        .ok_or(ApiError::MalformedTrackingId)?;
    let tracked = wait
        .track(&api, tracking_id)
        .await?
        .ok_or(ApiError::UnknownTrackingId)?;
    Ok((
        AppendHeaders(wait.applied()),
        Json(TrackBody::of(tracking_id, tracked)),
    ))
}
