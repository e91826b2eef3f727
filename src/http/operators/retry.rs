//! `POST /fineract/operations/{id}/retry`: continues a parked operation, or accepts a failed operation again as a new
//! operation.

use std::sync::Arc;

use axum::{
    body::HttpBody as _,
    extract::{FromRequest, OriginalUri, Request, State},
    http::StatusCode,
    response::IntoResponse,
};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{ActionBody, Named, Ops, answer_action};
use crate::{
    domain::{OperationId, State as OperationState, TrackingId},
    http::{api_error::ApiError, json_body::JsonBody, state::ApiState},
    operations::{self, Problem},
    store::{Found, NewOperation, Operator, StoreError, Unfit},
};

/// The body of a retry: `{"expires_at": TIME}`, or empty.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct RetryBody {
    /// Replaces the time after which the gateway no longer sends the operation.
    expires_at: Option<DateTime<Utc>>,
}

impl<S: Send + Sync> FromRequest<S> for RetryBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        if request.body().is_end_stream() {
            return Ok(Self::default());
        }
        let JsonBody(body) = JsonBody::from_request(request, state).await?;
        serde_json::from_slice(&body).map_err(|error| {
            if error.is_data() {
                let message = "may have expires_at, a time with its offset (RFC 3339)";
                ApiError::Invalid(vec![Problem {
                    pointer: String::new(),
                    code: "invalid_retry",
                    message: message.to_owned(),
                }])
            } else {
                ApiError::BrokenJson(error)
            }
        })
    }
}

/// Runs an operation again. A parked operation continues. A failed operation is accepted again as a new operation.
pub(in crate::http) async fn retry_operation(
    Ops(operator): Ops,
    State(api): State<Arc<ApiState>>,
    OriginalUri(uri): OriginalUri,
    named: Named,
    RetryBody { expires_at }: RetryBody,
) -> Result<impl IntoResponse, ApiError> {
    let found = named.find(&api).await?;
    let body = match found.state {
        OperationState::Parked => {
            api.store
                .retry_parked(&found, expires_at, &operator)
                .await?;
            ActionBody {
                tracking_id: found.tracking_id,
                retry_of: None,
                status: "processing",
            }
        }
        OperationState::Failed => ActionBody {
            tracking_id: accept_again(&api, &found, expires_at, &operator).await?,
            retry_of: Some(found.tracking_id),
            status: "processing",
        },
        OperationState::Succeeded => return Err(Unfit::Ended.into()),
        OperationState::Waiting | OperationState::Ready | OperationState::Running => {
            return Err(Unfit::UnderWay.into());
        }
    };
    Ok((StatusCode::ACCEPTED, answer_action("retry", &uri, body)))
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
    };
    api.store.retry_failed(failed, &new, operator).await?;
    Ok(TrackingId {
        operation_type,
        id: new.id,
    })
}
