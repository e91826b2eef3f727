//! `POST /fineract/operations/{id}/hold` and `…/release`: puts one operation on hold, and releases it.

use std::sync::Arc;

use axum::{
    extract::{OriginalUri, State},
    http::Uri,
    response::IntoResponse,
};

use super::{ActionAnswer, ActionBody, Named, Ops, answer_action, reason::read_reason};
use crate::{
    http::{api_error::ApiError, json_body::JsonBody, state::ApiState},
    store::Operator,
};

/// Puts an operation on hold. The operation keeps its lane entries, so the operations behind it wait too.
pub(in crate::http) async fn hold_operation(
    ops: Ops,
    State(api): State<Arc<ApiState>>,
    OriginalUri(uri): OriginalUri,
    named: Named,
    body: JsonBody,
) -> Result<impl IntoResponse, ApiError> {
    let operator = ops.because(read_reason(&body)?);
    hold(&api, named, true, &operator, &uri).await
}

/// Releases an operation that is on hold.
pub(in crate::http) async fn release_operation(
    ops: Ops,
    State(api): State<Arc<ApiState>>,
    OriginalUri(uri): OriginalUri,
    named: Named,
    body: JsonBody,
) -> Result<impl IntoResponse, ApiError> {
    let operator = ops.because(read_reason(&body)?);
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
    Ok(answer_action(
        if is_on_hold { "hold" } else { "release" },
        uri,
        body,
    ))
}
