//! `POST /fineract/operations/{id}/hold` and `…/release`: holds one back, and lets it go on.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, State},
    http::Uri,
    response::IntoResponse,
};

use super::{ActionAnswer, ActionBody, Named, Ops, acted};
use crate::{
    http::{api_error::ApiError, state::ApiState},
    store::Operator,
};

/// Holds an operation back: it keeps its place, and those behind it wait with it.
pub(in crate::http) async fn hold_operation(
    Ops(operator): Ops,
    State(api): State<Arc<ApiState>>,
    OriginalUri(uri): OriginalUri,
    named: Named,
) -> Result<impl IntoResponse, ApiError> {
    hold(&api, named, true, &operator, &uri).await
}

/// Lets an operation go on that was held back.
pub(in crate::http) async fn release_operation(
    Ops(operator): Ops,
    State(api): State<Arc<ApiState>>,
    OriginalUri(uri): OriginalUri,
    named: Named,
) -> Result<impl IntoResponse, ApiError> {
    hold(&api, named, false, &operator, &uri).await
}

async fn hold(
    api: &ApiState,
    named: Named,
    is_on_hold: bool,
    operator: &Operator,
    uri: &Uri,
) -> Result<ActionAnswer, ApiError> {
    let found = named.find(api).await?;
    api.store.hold(&found, is_on_hold, operator).await?;
    let body = ActionBody {
        tracking_id: found.tracking_id,
        retry_of: None,
        status: if is_on_hold { "on_hold" } else { "processing" },
    };
    Ok(acted(
        if is_on_hold { "hold" } else { "release" },
        uri,
        body,
    ))
}
