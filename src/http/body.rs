//! The limits for a request's body, and reading a small one.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{FromRequest as _, Request},
    http::StatusCode,
};
use tokio::time::timeout;

use super::{access::Caller, api_error::ApiError};

/// The limit in bytes for every body except the upload of a batch.
pub(super) const BODY_LIMIT: usize = 64 * 1024;

/// The limit in bytes for the upload of a batch. No other body may be larger.
pub(super) const UPLOAD_LIMIT: usize = 32 * 1024 * 1024;

/// The longest time that a body may take to arrive, except the upload of a batch.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads a whole body. An error if it is too large, too slow or broken off, or if the credential of the request has ended
/// meanwhile.
pub(super) async fn read_body<S: Send + Sync>(
    request: Request,
    state: &S,
) -> Result<Bytes, ApiError> {
    let caller: Option<Caller> = request.extensions().get().cloned();
    let body = timeout(BODY_TIMEOUT, Bytes::from_request(request, state))
        .await
        .or(Err(ApiError::BodyTooSlow))?
        .map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => ApiError::BodyTooLarge,
            _ => ApiError::UnreadableBody(rejection.into()),
        })?;
    if let Some(caller) = caller {
        caller.check_still_valid()?;
    }
    Ok(body)
}
