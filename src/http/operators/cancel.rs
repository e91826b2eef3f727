//! `POST /fineract/operations/{id}/cancel`: ends what was never sent.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, State},
    response::IntoResponse,
};

use super::{ActionBody, Named, Ops, acted};
use crate::http::{api_error::ApiError, state::ApiState};

/// Ends an operation of which nothing was ever sent, and with it those that rest on it.
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
    Ok(acted("cancel", &uri, body))
}
