//! `GET /fineract/operations/{id}`: everything that the gateway has recorded about an operation.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;

use super::{Named, Ops};
use crate::{
    http::{api_error::ApiError, health::Fineract, state::ApiState},
    store::Inspected,
};

/// An operation, and the state of Fineract.
#[derive(Debug, Serialize)]
pub(in crate::http) struct InspectBody {
    #[serde(flatten)]
    operation: Inspected,
    fineract: Fineract,
}

/// Shows an operation. The answer contains personal data: the payload and the bodies of Fineract.
pub(in crate::http) async fn inspect_operation(
    _: Ops,
    State(api): State<Arc<ApiState>>,
    named: Named,
) -> Result<Json<InspectBody>, ApiError> {
    let operation = api
        .store
        .inspect(named.id())
        .await?
        .filter(|operation| named.is(operation.tracking_id()))
        .ok_or(ApiError::UnknownTrackingId)?;
    Ok(Json(InspectBody {
        operation,
        fineract: Fineract::seen_by(&api),
    }))
}
