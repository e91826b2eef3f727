//! How errors are told: RFC 9457 to callers, the document's envelope to bulk's, and once to the log.

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

use super::{bulk, error::ApiError};

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

/// Writes the error that an answer carries, if it does, into its body, as the route tells its errors, and
/// logs it.
pub(super) fn tell(mut response: Response, request_id: &str, is_bulk: bool) -> Response {
    let Some(error) = response.extensions_mut().remove::<Arc<ApiError>>() else {
        return response;
    };
    error.log();
    let (body, content_type, secret) = if is_bulk {
        let body = bulk::error_body(&error, request_id);
        (body, "application/json", "client_secret")
    } else {
        let body = problem_body(&error, request_id);
        (body, "application/problem+json", "X-Internal-Token")
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(seconds) = error.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if error.status() == StatusCode::UNAUTHORIZED
        && let Ok(challenge) = HeaderValue::try_from(format!("ApiKey header=\"{secret}\""))
    {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    *response.body_mut() = Body::from(body);
    response
}

fn problem_body(error: &ApiError, request_id: &str) -> Vec<u8> {
    let status = error.status();
    let errors = error.problems().iter().map(|problem| ProblemItem {
        pointer: &problem.pointer,
        code: problem.code,
        message: &problem.message,
    });
    let body = ProblemBody {
        r#type: format!("urn:problem-type:fineract-gateway:{}", error.code()),
        title: status.canonical_reason().unwrap_or_default(),
        status: status.as_u16(),
        detail: error.detail(),
        code: error.code(),
        request_id,
        errors: errors.collect(),
    };
    // Texts and numbers alone: writing them does not fail.
    serde_json::to_vec(&body).unwrap_or_default()
}
