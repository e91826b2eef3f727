//! The stream of events for an open page: the API's stream, for an operator who is signed in.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};

use super::session::Session;
use crate::http::{api_error::ApiError, events::stream, state::ApiState};

/// Streams events from now on. The page loads its parts again when it gets one.
pub(super) async fn stream_changes(
    _: Session,
    State(api): State<Arc<ApiState>>,
) -> Result<Response, ApiError> {
    Ok(stream(&api, None).await?.into_response())
}
