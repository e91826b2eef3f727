//! `GET /fineract/operations/{id}`: everything that the gateway has recorded about an operation.

use std::sync::Arc;

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Named, Ops};
use crate::{
    domain::Scope,
    http::{api_error::ApiError, health::Fineract, state::ApiState},
    store::Inspected,
};

/// The reason in the audit for a look at people's data.
pub(in crate::http) const LOOKED: &str = "looked at people's data";

/// An operation, and the state of Fineract.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "OperationReport")]
pub(in crate::http) struct InspectBody {
    #[serde(flatten)]
    operation: Inspected,
    /// Fineract as this process sees it.
    fineract: Fineract,
}

/// Shows an operation with people's data, which the audit records. Without the scope `ops.pii`, personal data is masked in the payload and in Fineract's bodies.
pub(in crate::http) async fn inspect_operation(
    ops: Ops,
    State(api): State<Arc<ApiState>>,
    named: Named,
) -> Result<Json<InspectBody>, ApiError> {
    let operation = named.inspect(&api).await?;
    if operation.operation.ended_at.is_some() {
        // Who inspects a failed operation knows of the failure. The page does not record this: it loads an operation
        // again while nobody looks.
        api.store.record_failures_read(&[named.id().0]).await?;
    }
    let operation = if ops.has(Scope::OpsPii) {
        let operator = ops.because(LOOKED.to_owned());
        api.store.record_read(named.id(), &operator).await?;
        operation
    } else {
        operation.without_personal_data()
    };
    Ok(Json(InspectBody {
        operation,
        fineract: Fineract::seen_by(&api),
    }))
}
