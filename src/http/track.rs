//! `GET /fineract/track/{tracking_id}` (document 000).

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, Request, State, rejection::PathRejection},
    http::{HeaderValue, header::RETRY_AFTER},
    middleware::{Next, from_fn},
    response::{AppendHeaders, IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    access::Caller,
    api_error::{ApiError, catch_panics},
    error::ErrorReport,
    prefer::Wait,
    state::ApiState,
};
use crate::{
    domain::{OperationType, State as OperationState, TrackingId, untouched},
    store::Tracked,
};

/// After how many seconds the caller should ask again (document 000: every 2 to 3 seconds).
pub(super) const POLL_AFTER_SECONDS: u16 = 2;

/// The body of an answer: the keys of document 000, in the order of the document.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(untagged)]
#[schemars(rename = "TrackedOperation")]
pub enum TrackBody {
    /// The operation has not ended.
    Processing(ProcessingBody),
    /// The operation has succeeded or failed.
    Ended(Box<EndedBody>),
}

/// The body of an operation that has not ended.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "OperationInProgress")]
pub struct ProcessingBody {
    /// The operation.
    tracking_id: TrackingId,
    /// Always `processing`.
    #[schemars(extend("const" = "processing"))]
    status: &'static str,
}

/// The body of an operation that has ended.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "EndedOperation")]
pub struct EndedBody {
    /// The operation.
    tracking_id: TrackingId,
    /// What the operation does.
    operation_type: OperationType,
    /// `success` or `failed`. It never changes.
    #[schemars(extend("enum" = ["success", "failed"]))]
    status: &'static str,
    /// Fineract's answer, word for word, if the operation has succeeded.
    success_response: Option<Box<RawValue>>,
    /// Fineract's refusal, word for word. Null if the gateway itself decided that the operation has failed.
    failure_response: Option<Box<RawValue>>,
    /// Why the operation has failed, as a sentence.
    error_message: Option<String>,
    /// When the operation ended (UTC).
    processed_at: Option<String>,
}

impl TrackBody {
    /// The body of an operation that has not ended.
    pub fn processing(tracking_id: TrackingId) -> Self {
        Self::Processing(ProcessingBody {
            tracking_id,
            status: "processing",
        })
    }

    /// The body of an operation that was read from the store.
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

type TrackingPath = Result<Path<String>, PathRejection>;

/// Reports the state of an operation. Another owner's is unknown. With `Prefer: wait=N`, the answer is delayed until the operation has ended, but
/// for at most `N` seconds.
pub(super) async fn track_operation(
    caller: Caller,
    State(api): State<Arc<ApiState>>,
    path: TrackingPath,
    wait: Wait,
) -> Result<impl IntoResponse, ApiError> {
    let tracking_id = tracking_id_of(path).ok_or(ApiError::MalformedTrackingId)?;
    let tracked = wait
        .track(&api, tracking_id, caller.tracks_only(), &caller.validity)
        .await?;
    caller.check_still_valid()?;
    let Some(tracked) = tracked else {
        let dropped = api.store.dropped_at(tracking_id, caller.tracks_only());
        return Err(match dropped.await? {
            Some(at) => ApiError::Dropped {
                on: at.date_naive(),
            },
            None => ApiError::UnknownTrackingId,
        });
    };
    Ok((
        AppendHeaders(wait.applied()),
        Json(TrackBody::of(tracking_id, tracked)),
    ))
}

fn tracking_id_of(path: TrackingPath) -> Option<TrackingId> {
    let Path(text) = path.ok()?;
    text.parse().ok()
}

/// Makes the route of track render its temporary errors in the format of document 000.
pub(super) fn with_own_errors<S>(route: Router<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    route.layer(catch_panics()).layer(from_fn(render_errors))
}

/// Renders a temporary error as the body of an operation that has not ended. The reason: the polling loop of document
/// 000 stops at any `status` except `processing`, and the `status` of a problem (RFC 9457) is a number. All other
/// errors are rendered as problems.
async fn render_errors(path: TrackingPath, request: Request, next: Next) -> Response {
    let tracking_id = tracking_id_of(path);
    let mut response = next.run(request).await;
    let report = ErrorReport::of(&response).filter(|report| report.is_temporary());
    if let Some((report, tracking_id)) = report.zip(tracking_id) {
        let body = TrackBody::processing(tracking_id);
        report.write(&mut response, "application/json", &body);
        response
            .headers_mut()
            .entry(RETRY_AFTER)
            .or_insert(HeaderValue::from(POLL_AFTER_SECONDS));
    }
    response
}
