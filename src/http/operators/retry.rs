//! `POST /fineract/operations/{id}/retry`: a parked operation goes on, a failed one is accepted anew.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, State},
    http::StatusCode,
    response::IntoResponse,
};

use super::{ActionBody, Named, Ops, acted};
use crate::{
    domain::{OperationId, State as OperationState, TrackingId},
    http::{ApiState, error::ApiError},
    operations,
    store::{Found, NewOperation, Operator, StoreError, Unfit},
};

/// Runs an operation again: under its old key when it is parked, as a new operation when it failed.
pub(in crate::http) async fn retry_operation(
    Ops(operator): Ops,
    State(api): State<Arc<ApiState>>,
    OriginalUri(uri): OriginalUri,
    named: Named,
) -> Result<impl IntoResponse, ApiError> {
    let found = named.find(&api).await?;
    let body = match found.state {
        OperationState::Parked => {
            api.store.retry_parked(&found, &operator).await?;
            ActionBody {
                tracking_id: found.tracking_id,
                retry_of: None,
                status: "processing",
            }
        }
        OperationState::Failed => ActionBody {
            tracking_id: accept_anew(&api, &found, &operator).await?,
            retry_of: Some(found.tracking_id),
            status: "processing",
        },
        OperationState::Succeeded => return Err(Unfit::Ended.into()),
        OperationState::Waiting | OperationState::Ready | OperationState::Running => {
            return Err(Unfit::UnderWay.into());
        }
    };
    Ok((StatusCode::ACCEPTED, acted("retry", &uri, body)))
}

/// Checks the payload once more, as the door does, and accepts it as a new operation of the same caller.
async fn accept_anew(
    api: &ApiState,
    failed: &Found,
    operator: &Operator,
) -> Result<TrackingId, ApiError> {
    let TrackingId { operation_type, id } = failed.tracking_id;
    let entry = operations::entry(operation_type).ok_or(StoreError::Unknown { what: "type" })?;
    let original = api.store.retryable(id).await?;
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
        expires_at: None,
    };
    api.store.retry_failed(failed, &new, operator).await?;
    Ok(TrackingId {
        operation_type,
        id: new.id,
    })
}
