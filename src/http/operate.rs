//! `POST /fineract/operate` (document 001).

use std::sync::Arc;

use axum::{
    Json,
    extract::{OriginalUri, State},
    http::{
        HeaderName, HeaderValue, StatusCode, Uri,
        header::{LOCATION, RETRY_AFTER},
    },
    response::{AppendHeaders, IntoResponse},
};

use super::{
    ApiState, Caller, envelope,
    error::ApiError,
    idempotency_key::KeyedBody,
    prefer::Wait,
    track::{POLL_AFTER_SECONDS, TrackBody},
};
use crate::{
    domain::{OperationId, TrackingId},
    store::{Accepted, NewOperation},
    telemetry::chain,
};

const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Accepts an operation: answers once it is durable, and does not wait for Fineract unless it is asked
/// to with `Prefer: wait=N`.
pub(super) async fn submit_operation(
    caller: Caller,
    State(api): State<Arc<ApiState>>,
    OriginalUri(uri): OriginalUri,
    wait: Wait,
    KeyedBody { body, caller_key }: KeyedBody,
) -> Result<impl IntoResponse, ApiError> {
    let submission = envelope::read(&body, &api.deployment)?;
    if api.store.backlog() >= api.max_waiting {
        return Err(ApiError::Overloaded);
    }
    let id = OperationId::new();
    let operation_type = submission.operation_type;
    let operation = NewOperation {
        id,
        operation_type,
        payload: submission.data.to_owned(),
        checked: submission.checked,
        caller: caller.name.to_string(),
        caller_key,
        retry_of: None,
        expires_at: submission.expires_at,
    };
    let (tracking_id, is_replay) = match api.store.accept(operation).await? {
        Accepted::New => (TrackingId { operation_type, id }, false),
        Accepted::Replayed(tracking_id) => (tracking_id, true),
        Accepted::KeyReused => return Err(ApiError::IdempotencyKeyReused),
    };
    tracing::info!(
        operation.id = %tracking_id.id,
        operation.type = %tracking_id.operation_type,
        is_replay,
        "accepted an operation"
    );
    let body = state_after(&api, wait, tracking_id).await;
    let is_ended = matches!(body, TrackBody::Ended(_));
    let status = if is_ended || is_replay {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    let headers = [
        track_url(&uri, tracking_id).map(|url| (LOCATION, url)),
        (!is_ended).then_some((RETRY_AFTER, HeaderValue::from(POLL_AFTER_SECONDS))),
        is_replay.then_some((IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"))),
        wait.applied(),
    ];
    Ok((
        status,
        AppendHeaders(headers.into_iter().flatten()),
        Json(body),
    ))
}

/// Where an accepted operation stands once the caller's wait is over. It is durable: whatever goes wrong
/// from here on, the caller gets its tracking id.
async fn state_after(api: &ApiState, wait: Wait, tracking_id: TrackingId) -> TrackBody {
    if !wait.is_wanted() {
        return TrackBody::processing(tracking_id);
    }
    match wait.track(api, tracking_id).await {
        Ok(tracked) => tracked.map_or_else(
            || TrackBody::processing(tracking_id),
            |tracked| TrackBody::of(tracking_id, tracked),
        ),
        Err(error) => {
            tracing::warn!(
                error = %chain(&error),
                "an accepted operation cannot be waited for"
            );
            TrackBody::processing(tracking_id)
        }
    }
}

/// Where to poll, under the base path that the request came by.
fn track_url(operate: &Uri, tracking_id: TrackingId) -> Option<HeaderValue> {
    let TrackingId { operation_type, id } = tracking_id;
    let base_path = operate.path().strip_suffix("/fineract/operate")?;
    HeaderValue::try_from(format!(
        "{base_path}/fineract/track/{operation_type}%7C{id}"
    ))
    .ok()
}
