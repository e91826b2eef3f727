//! Panics of handlers.

use std::any::Any;

use axum::response::{IntoResponse as _, Response};
use tower_http::catch_panic::CatchPanicLayer;

use super::ApiError;

type PanicToResponse = fn(Box<dyn Any + Send>) -> Response;

/// Turns a panic into [`ApiError::Panicked`]. Routes that render their own errors add this layer inside their rendering
/// layer. A panic skips all layers until this one catches it, so a rendering layer further inside would not see the
/// error.
pub(in crate::http) fn catch_panics() -> CatchPanicLayer<PanicToResponse> {
    CatchPanicLayer::custom(|_| ApiError::Panicked.into_response())
}
