//! Errors as document 003 shows them.

use axum::http::StatusCode;
use serde::Serialize;

use crate::http::error::ApiError;

/// `{"error": {"code", "message", "type"}, "request_id"}`.
#[derive(Debug, Serialize)]
pub(in crate::http) struct ErrorBody<'a> {
    error: ErrorItem,
    request_id: &'a str,
}

#[derive(Debug, Serialize)]
struct ErrorItem {
    code: &'static str,
    message: String,
    r#type: &'static str,
}

impl<'a> ErrorBody<'a> {
    /// What is told of an error.
    pub(in crate::http) fn new(error: &ApiError, request_id: &'a str) -> Self {
        let r#type = match error.status() {
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::NOT_FOUND => "not_found_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "api_error",
            _ => "invalid_request_error",
        };
        Self {
            error: ErrorItem {
                code: error.code(),
                message: error.detail(),
                r#type,
            },
            request_id,
        }
    }
}
