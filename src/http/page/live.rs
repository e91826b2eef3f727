//! The stream of events for an open page: the API's stream, for an operator who is signed in.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use futures_util::StreamExt as _;

use super::session::Session;
use crate::http::{api_error::ApiError, events::stream, state::ApiState};

/// The longest time of a stream. The browser then opens another one, if its session has not ended.
const LONGEST: Duration = Duration::from_mins(5);

/// Streams events from now on. The page loads its parts again when it gets one.
pub(super) async fn stream_changes(
    session: Session,
    State(api): State<Arc<ApiState>>,
) -> Result<Response, ApiError> {
    let (head, body) = stream(&api, None, session.ops())
        .await?
        .into_response()
        .into_parts();
    let body = body
        .into_data_stream()
        .take_until(tokio::time::sleep(LONGEST));
    Ok(Response::from_parts(head, Body::from_stream(body)))
}
