//! `POST /fineract/operations/{id}/cancel`: ends an operation for which no command was sent.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, State},
    response::IntoResponse,
};

use super::{ActionBody, Named, Ops, answer_action, reason::read_reason};
use crate::http::{api_error::ApiError, json_body::JsonBody, state::ApiState};

/// Ends an operation for which no command was ever sent. Its dependents fail.
pub(in crate::http) async fn cancel_operation(
    ops: Ops,
    State(api): State<Arc<ApiState>>,
    OriginalUri(uri): OriginalUri,
    named: Named,
    body: JsonBody,
) -> Result<impl IntoResponse, ApiError> {
    let operator = ops.because(read_reason(&body)?);
    let found = named.find(&api).await?;
    api.store.cancel(&found, &operator).await?;
    let body = ActionBody {
        tracking_id: found.tracking_id,
        retry_of: None,
        status: "failed",
    };
    Ok(answer_action("cancel", &uri, body))
}
