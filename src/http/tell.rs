//! Telling errors: the one place that knows the request's id, and in which shape a route tells.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::Response,
};
use serde::Serialize;

use super::{
    bulk,
    error::ApiError,
    track::{POLL_AFTER_SECONDS, TrackBody},
    transactions,
};
use crate::domain::TrackingId;

/// The shape in which a route tells its errors; stands on the answers of those that do not use the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shape {
    /// RFC 9457.
    #[default]
    Problem,
    /// Track's, of this operation: the document's loop ends on any `status` but `processing`, such as the
    /// number that a problem has. What may pass is told as `processing` beside its HTTP status.
    Track(TrackingId),
    /// Document 002's.
    Bulk,
    /// Document 003's.
    Transaction,
}

/// The body of an error (RFC 9457).
#[derive(Debug, Serialize)]
struct ProblemBody<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: String,
    code: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: Vec<ProblemItem<'a>>,
}

#[derive(Debug, Serialize)]
struct ProblemItem<'a> {
    pointer: &'a str,
    code: &'a str,
    message: &'a str,
}

impl<'a> ProblemBody<'a> {
    fn new(error: &'a ApiError, request_id: &'a str) -> Self {
        let status = error.status();
        let errors = error.problems().iter().map(|problem| ProblemItem {
            pointer: &problem.pointer,
            code: problem.code,
            message: &problem.message,
        });
        Self {
            r#type: format!("urn:problem-type:fineract-gateway:{}", error.code()),
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: error.detail(),
            code: error.code(),
            request_id,
            errors: errors.collect(),
        }
    }
}

impl Shape {
    /// The shape of this error: on track, only what may pass has a shape of its own.
    fn of(self, error: &ApiError) -> Self {
        match self {
            Self::Track(_) if !may_pass(error.status()) => Self::Problem,
            Self::Problem | Self::Track(_) | Self::Bulk | Self::Transaction => self,
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Problem => "application/problem+json",
            Self::Track(_) | Self::Bulk | Self::Transaction => "application/json",
        }
    }

    /// How a caller may say who it is.
    fn challenge(self) -> &'static str {
        match self {
            Self::Problem | Self::Track(_) => "ApiKey header=\"X-Internal-Token\"",
            Self::Bulk => "ApiKey header=\"client_secret\"",
            Self::Transaction => "Token",
        }
    }

    fn body(self, error: &ApiError, request_id: &str) -> Vec<u8> {
        let body = match self {
            Self::Problem => serde_json::to_vec(&ProblemBody::new(error, request_id)),
            Self::Track(tracking_id) => serde_json::to_vec(&TrackBody::processing(tracking_id)),
            Self::Bulk => Ok(bulk::error_body(error, request_id)),
            Self::Transaction => {
                serde_json::to_vec(&transactions::ErrorBody::new(error, request_id))
            }
        };
        // Texts and numbers alone: writing them does not fail.
        body.unwrap_or_default()
    }
}

/// Whether the same request may get another answer later.
fn may_pass(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        )
}

/// Writes the error that an answer carries, if it does, into its body, in the shape of its route or the
/// one that stands on it, and logs it.
pub(super) fn tell(mut response: Response, request_id: &str, shape: Option<Shape>) -> Response {
    let Some(error) = response.extensions_mut().remove::<Arc<ApiError>>() else {
        return response;
    };
    error.log();
    let shape = shape
        .or_else(|| response.extensions_mut().remove::<Shape>())
        .unwrap_or_default()
        .of(&error);
    *response.body_mut() = Body::from(shape.body(&error, request_id));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(shape.content_type()));
    let poll_after = matches!(shape, Shape::Track(_)).then_some(POLL_AFTER_SECONDS);
    if let Some(seconds) = error.retry_after().or(poll_after) {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if error.status() == StatusCode::UNAUTHORIZED {
        headers.insert(
            WWW_AUTHENTICATE,
            HeaderValue::from_static(shape.challenge()),
        );
    }
    response
}
