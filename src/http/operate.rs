//! `POST /fineract/operate` (document 001).

use std::sync::Arc;

use axum::{
    Json,
    extract::{OriginalUri, State},
    http::{
        HeaderName, HeaderValue, StatusCode, Uri,
        header::{LOCATION, RETRY_AFTER},
    },
    response::{AppendHeaders, IntoResponse, Response},
};

use super::{
    access::{AccessError, Caller},
    api_error::ApiError,
    callers_trace::CallersTrace,
    envelope,
    idempotency_key::KeyedBody,
    location,
    prefer::Wait,
    state::ApiState,
    track::{POLL_AFTER_SECONDS, TrackBody},
};
use crate::{
    domain::{OperationId, TrackingId},
    store::{Accepted, CallerKey, NewOperation},
    telemetry::chain,
    traces::{Span, SpanKind, Trace},
};

const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Accepts an operation, and answers once the operation is committed. With `Prefer: wait=N`, the answer is delayed
/// until the operation has ended, but for at most `N` seconds.
pub(super) async fn submit_operation(
    caller: Caller,
    State(api): State<Arc<ApiState>>,
    OriginalUri(uri): OriginalUri,
    (wait, trace): (Wait, CallersTrace),
    body: KeyedBody,
) -> Response {
    let CallersTrace { parent, began } = trace;
    let trace = Trace {
        operation: OperationId::new(),
        caller: parent,
    };
    let span = trace.begin(SpanKind::Server, format_args!("POST /fineract/operate"));
    let mut span = span.begun(began.elapsed());
    span.set("http.request.method", "POST");
    span.set("http.route", "/fineract/operate");
    let submitted = submit(&api, &caller, (trace, body), wait, &mut span).await;
    let answer = submitted.map(|submitted| answer(submitted, &uri, wait));
    let answer = answer.into_response();
    span.set_status(answer.status().as_u16());
    answer
}

/// An operation that is accepted, now or earlier.
struct Submitted {
    tracking_id: TrackingId,
    is_replay: bool,
    body: TrackBody,
}

async fn submit(
    api: &ApiState,
    caller: &Caller,
    (trace, KeyedBody { body, caller_key }): (Trace, KeyedBody),
    wait: Wait,
    span: &mut Span,
) -> Result<Submitted, ApiError> {
    let (tracking_id, is_replay) =
        match new_operation(api, (trace, caller), &body, caller_key.clone()) {
            Ok(new) => accept(api, new).await?,
            Err(refused) => (
                // This future is large and seldom needed, so it is boxed.
                Box::pin(accepted_earlier(api, caller, caller_key, refused)).await?,
                true,
            ),
        };
    tracing::info!(
        operation.id = %tracking_id.id,
        operation.type = %tracking_id.operation_type,
        is_replay,
        "accepted an operation"
    );
    span.set_text("operation.id", tracking_id.id);
    span.set("operation.type", tracking_id.operation_type.as_str());
    Ok(Submitted {
        tracking_id,
        is_replay,
        body: state_after(api, caller, wait, tracking_id).await?,
    })
}

fn answer(submitted: Submitted, uri: &Uri, wait: Wait) -> impl IntoResponse + use<> {
    let Submitted {
        tracking_id,
        is_replay,
        body,
    } = submitted;
    let is_ended = matches!(body, TrackBody::Ended(_));
    let status = if is_ended || is_replay {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    let headers = [
        location::relative(
            uri,
            0,
            &format!("track/{}%7C{}", tracking_id.operation_type, tracking_id.id),
        )
        .map(|url| (LOCATION, url)),
        (!is_ended).then_some((RETRY_AFTER, HeaderValue::from(POLL_AFTER_SECONDS))),
        is_replay.then_some((IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"))),
        wait.applied(),
    ];
    (
        status,
        AppendHeaders(headers.into_iter().flatten()),
        Json(body),
    )
}

/// Builds the operation to accept from a body. An error if the body is not valid, or if the backlog has reached its
/// limit.
fn new_operation(
    api: &ApiState,
    (trace, caller): (Trace, &Caller),
    body: &[u8],
    caller_key: Option<CallerKey>,
) -> Result<NewOperation, ApiError> {
    let submission = envelope::read(body, &api.deployment)?;
    caller
        .check_sending(submission.operation_type, &submission.checked)
        .map_err(AccessError::NotPermitted)?;
    if api.store.backlog() >= api.max_waiting {
        return Err(ApiError::Overloaded);
    }
    Ok(NewOperation {
        id: trace.operation,
        operation_type: submission.operation_type,
        payload: submission.data.to_owned(),
        checked: submission.checked,
        caller: caller.owner.caller(),
        caller_key,
        retry_of: None,
        expires_at: submission.expires_at,
        trace_parent: trace.caller,
    })
}

/// Accepts an operation. Returns the tracking id for the caller, and whether this tracking id belongs to an earlier
/// operation that was accepted under the same key.
async fn accept(api: &ApiState, new: NewOperation) -> Result<(TrackingId, bool), ApiError> {
    let tracking_id = TrackingId {
        operation_type: new.operation_type,
        id: new.id,
    };
    match api.store.accept(new).await? {
        Accepted::New => Ok((tracking_id, false)),
        Accepted::Replayed(first) => Ok((first, true)),
        Accepted::KeyReused => Err(ApiError::IdempotencyKeyReused),
    }
}

/// Finds the operation that was accepted earlier under the key of a refused request. A repeated request must get the
/// same answer as the first request, even if the settings have changed in the meantime or the backlog is full. If the
/// body is not JSON, it cannot be compared with the first body, so the request remains refused.
async fn accepted_earlier(
    api: &ApiState,
    caller: &Caller,
    key: Option<CallerKey>,
    refused: ApiError,
) -> Result<TrackingId, ApiError> {
    let is_read = matches!(refused, ApiError::Invalid(_) | ApiError::Overloaded);
    let Some(key) = key.filter(|_| is_read) else {
        return Err(refused);
    };
    match api
        .store
        .accepted_under_key(&caller.owner.caller(), &key)
        .await?
    {
        Some(Accepted::Replayed(first)) => Ok(first),
        Some(Accepted::KeyReused) => Err(ApiError::IdempotencyKeyReused),
        Some(Accepted::New) | None => Err(refused),
    }
}

/// Waits as long as the caller asked, and returns the body of the answer for an accepted operation. The operation is
/// committed, so the body contains its tracking id even if the operation's state cannot be read. An error if the operation was
/// accepted so long ago that its data was dropped.
async fn state_after(
    api: &ApiState,
    caller: &Caller,
    wait: Wait,
    tracking_id: TrackingId,
) -> Result<TrackBody, ApiError> {
    if !wait.is_wanted() {
        return Ok(TrackBody::processing(tracking_id));
    }
    // If the credential is revoked meanwhile, the wait ends at once. The answer is the same: the operation is accepted.
    let waiting = wait.track(api, tracking_id, None, &caller.validity);
    match waiting.await {
        Ok(Some(tracked)) => return Ok(TrackBody::of(tracking_id, tracked)),
        Ok(None) => {
            if let Some(at) = api.store.dropped_at(tracking_id, None).await? {
                return Err(ApiError::Dropped {
                    on: at.date_naive(),
                });
            }
        }
        Err(error) => {
            tracing::warn!(
                error = %chain(&error),
                "cannot wait for the end of an accepted operation; answering at once"
            );
        }
    }
    Ok(TrackBody::processing(tracking_id))
}
