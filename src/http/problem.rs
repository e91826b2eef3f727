//! Renders errors as problems (RFC 9457). This is the format of every route whose API document defines no other format
//! for errors.

use axum::{Extension, extract::Request, middleware::Next, response::Response};
use serde::Serialize;

use super::{error::ErrorReport, observe::RequestId};

/// The body of an error (RFC 9457).
#[derive(Debug, Serialize)]
struct ProblemBody<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: Vec<ProblemItem<'a>>,
    /// The cursor before the oldest events.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<i64>,
}

#[derive(Debug, Serialize)]
struct ProblemItem<'a> {
    pointer: &'a str,
    code: &'a str,
    message: &'a str,
}

impl<'a> ProblemBody<'a> {
    fn new(report: &'a ErrorReport, request_id: &'a str) -> Self {
        let errors = report.problems.iter().map(|problem| ProblemItem {
            pointer: &problem.pointer,
            code: problem.code,
            message: &problem.message,
        });
        Self {
            r#type: format!("urn:problem-type:fineract-gateway:{}", report.code),
            title: report.status.canonical_reason().unwrap_or_default(),
            status: report.status.as_u16(),
            detail: &report.detail,
            code: report.code,
            request_id,
            errors: errors.collect(),
            oldest: report.oldest,
        }
    }
}

/// Renders every error that no inner layer has rendered.
pub(super) async fn render_errors(
    Extension(RequestId(request_id)): Extension<RequestId>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    if let Some(report) = ErrorReport::of(&response) {
        let body = ProblemBody::new(&report, &request_id);
        report.write(&mut response, "application/problem+json", &body);
    }
    response
}
