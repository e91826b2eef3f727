//! Renders errors as problems (RFC 9457). This is the format of every route whose API document defines no other format
//! for errors.

use axum::{Extension, extract::Request, middleware::Next, response::Response};
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use super::{error::ErrorReport, observe::RequestId};

/// The body of an error (RFC 9457).
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "Problem")]
pub(super) struct ProblemBody<'a> {
    /// The kind of the problem, as a URN with the code.
    r#type: String,
    /// The name of the status.
    title: &'a str,
    /// The status.
    status: u16,
    /// What is wrong, as a sentence.
    detail: &'a str,
    /// A stable code.
    code: &'a str,
    /// The id of the request, as in the gateway's log.
    request_id: &'a str,
    /// All problems of the request.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: Vec<ProblemItem<'a>>,
    /// The cursor before the oldest events.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<i64>,
    /// The day (UTC) on which the data of the operation was dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped_on: Option<NaiveDate>,
}

/// A problem of a request.
#[derive(Debug, JsonSchema, Serialize)]
struct ProblemItem<'a> {
    /// Where the problem is, as a JSON pointer.
    pointer: &'a str,
    /// A stable code.
    code: &'a str,
    /// What must be changed.
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
            dropped_on: report.dropped_on,
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
