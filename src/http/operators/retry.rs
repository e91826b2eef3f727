//! `POST /fineract/operations/{id}/retry`: continues a parked operation, or accepts a failed operation again as a new
//! operation.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, State},
    http::StatusCode,
    response::IntoResponse,
};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{ActionBody, Named, Ops, answer_action, reason::checked_reason};
use crate::{
    domain::{OperationId, State as OperationState, TrackingId},
    http::{api_error::ApiError, json_body::JsonBody, state::ApiState},
    operations,
    store::{Found, NewOperation, Operator, StoreError, Unfit},
};

/// The body of a retry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RetryBody {
    #[serde(default)]
    reason: String,
    /// Replaces the time after which the gateway no longer sends the operation.
    expires_at: Option<DateTime<Utc>>,
}

/// Runs an operation again. A parked operation continues. A failed operation is accepted again as a new operation.
pub(in crate::http) async fn retry_operation(
    ops: Ops,
    State(api): State<Arc<ApiState>>,
    OriginalUri(uri): OriginalUri,
    named: Named,
    body: JsonBody,
) -> Result<impl IntoResponse, ApiError> {
    let must = "must have a reason, and may have expires_at, a time with its offset (RFC 3339)";
    let RetryBody { reason, expires_at } = body.read("invalid_retry", must)?;
    let operator = ops.because(checked_reason(&reason)?);
    let found = named.find(&api).await?;
    let retry = retry(&api, &found, expires_at, &operator).await?;
    let body = ActionBody {
        tracking_id: retry,
        retry_of: (retry != found.tracking_id).then_some(found.tracking_id),
        status: "processing",
    };
    Ok((StatusCode::ACCEPTED, answer_action("retry", &uri, body)))
}

/// Continues a parked operation, or accepts a failed one again. Returns the tracking id of the operation that runs now.
pub(super) async fn retry(
    api: &ApiState,
    found: &Found,
    expires_at: Option<DateTime<Utc>>,
    operator: &Operator,
) -> Result<TrackingId, ApiError> {
    match found.state {
        OperationState::Parked => {
            api.store.retry_parked(found, expires_at, operator).await?;
            Ok(found.tracking_id)
        }
        OperationState::Failed => accept_again(api, found, expires_at, operator).await,
        OperationState::Succeeded => Err(Unfit::Ended.into()),
        OperationState::Waiting | OperationState::Ready | OperationState::Running => {
            Err(Unfit::UnderWay.into())
        }
    }
}

/// Checks the payload again, as at acceptance, and accepts it as a new operation of the same caller.
async fn accept_again(
    api: &ApiState,
    failed: &Found,
    expires_at: Option<DateTime<Utc>>,
    operator: &Operator,
) -> Result<TrackingId, ApiError> {
    let TrackingId { operation_type, id } = failed.tracking_id;
    let entry = operations::entry(operation_type).ok_or(StoreError::Unknown { what: "type" })?;
    let original = api.store.retryable(id).await?;
    if original.is_erased {
        return Err(Unfit::Erased.into());
    }
    if expires_at.is_none() && original.is_past_expiry {
        return Err(Unfit::Expired.into());
    }
    let checked = (entry.check)(&original.payload, &api.deployment)
        .map_err(|invalid| ApiError::Invalid(invalid.problems))?;
    let new = NewOperation {
        id: OperationId::new(),
        operation_type,
        payload: original.payload,
        checked,
        caller: original.caller,
        caller_key: None,
        retry_of: Some(id),
        expires_at: expires_at.or(original.expires_at),
        trace_parent: None,
    };
    api.store.retry_failed(failed, &new, operator).await?;
    Ok(TrackingId {
        operation_type,
        id: new.id,
    })
}
