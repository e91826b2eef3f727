//! The limits for a request's body, and reading a small one.

use super::{access::Caller, api_error::ApiError, body_too_slow::BodyTooSlow};
use axum::{
    BoxError,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest as _, Request},
    http::StatusCode,
};

/// The limit in bytes for every body except the upload of a batch, and for each row of that.
pub(super) const BODY_LIMIT: usize = 64 * 1024;

/// The limit in bytes for the upload of a batch. No other body may be larger.
pub(super) const UPLOAD_LIMIT: usize = 32 * 1024 * 1024;

/// The limit in bytes for a form of a visitor who is not signed in.
pub(super) const VISITORS_FORM_LIMIT: usize = 4 * 1024;

/// Reads a whole body. An error if it has more than `limit` bytes, if it is too slow or broken off, or if the credential of
/// the request has ended meanwhile.
pub(super) async fn read_body<S: Send + Sync>(
    mut request: Request,
    state: &S,
    limit: usize,
) -> Result<Bytes, ApiError> {
    DefaultBodyLimit::max(limit).apply(&mut request);
    let caller: Option<Caller> = request.extensions().get().cloned();
    let body = Bytes::from_request(request, state).await;
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::BodyTooLarge { limit },
        _ => unreadable(rejection.into()),
    })?;
    if let Some(caller) = caller {
        caller.check_still_valid()?;
    }
    Ok(body)
}

/// The error of a body that was broken off or is too slow.
pub(super) fn unreadable(error: BoxError) -> ApiError {
    if BodyTooSlow::caused(&*error) {
        ApiError::BodyTooSlow
    } else {
        ApiError::UnreadableBody(error)
    }
}
