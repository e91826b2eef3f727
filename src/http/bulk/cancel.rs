//! `POST /bulk/cancel`: ends the rows for which nothing was sent.

use std::sync::Arc;

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    envelope::BatchBody,
    error::BulkError,
    request::Request,
    schedule::{body_of, read_batch},
};
use crate::http::{access::Caller, json_body::JsonBody, state::ApiState};

/// The state of the batch after the cancel.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "CancelledBatch")]
pub(in crate::http) struct CancelBody {
    #[serde(flatten)]
    batch: BatchBody,
    /// How many rows were ended.
    cancelled: usize,
}

/// Cancels the operations of a batch that have no attempt. The others continue.
pub(super) async fn cancel_batch(
    caller: Caller,
    State(api): State<Arc<ApiState>>,
    JsonBody(body): JsonBody,
) -> Result<Json<CancelBody>, BulkError> {
    let mut request = Request::parse(&body)?;
    let reference_id = request.required_name("reference_id").unwrap_or_default();
    request.finish()?;
    let batch = read_batch(&api, &caller.owner, &reference_id).await?;
    let cancelled = api.store.cancel_batch(&batch).await?;
    tracing::info!(batch.id = %batch.id, cancelled, "cancelled a batch");
    Ok(Json(CancelBody {
        batch: body_of(&api, &batch).await?,
        cancelled,
    }))
}
