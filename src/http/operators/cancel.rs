//! `POST /fineract/operations/{id}/cancel`: ends an operation for which no command was sent.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, State},
    response::IntoResponse,
};

use super::{ActionBody, Named, Ops, answer_action};
use crate::http::{api_error::ApiError, state::ApiState};

/// Ends an operation for which no command was ever sent. Its dependents fail.
pub(in crate::http) async fn cancel_operation(
    Ops(operator): Ops,
    State(api): State<Arc<ApiState>>,
    OriginalUri(uri): OriginalUri,
    named: Named,
) -> Result<impl IntoResponse, ApiError> {
    let found = named.find(&api).await?;
    api.store.cancel(&found, &operator).await?;
    let body = ActionBody {
        tracking_id: found.tracking_id,
        retry_of: None,
        status: "failed",
    };
    Ok(answer_action("cancel", &uri, body))
}
