//! `GET /fineract/operations/{id}`: an operation with all that is known of it.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;

use super::{Named, Ops};
use crate::{
    http::{api_error::ApiError, health::Fineract, state::ApiState},
    store::Inspected,
};

/// An operation, and whether Fineract takes any.
#[derive(Debug, Serialize)]
pub(in crate::http) struct InspectBody {
    #[serde(flatten)]
    operation: Inspected,
    fineract: Fineract,
}

/// Shows an operation, with the data of people that is in it.
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
