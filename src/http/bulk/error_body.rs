//! Renders errors in the format of document 002.

use std::sync::Arc;

use axum::{Extension, extract::Request, middleware::Next, response::Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    envelope::{VERSION, timestamp},
    error::{At, RowProblems},
};
use crate::{
    http::{error::ErrorReport, observe::RequestId},
    telemetry::wall_clock,
};

/// The body of an error.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "BulkError")]
pub(in crate::http) struct BulkErrorBody<'a> {
    /// The version of this envelope.
    ver: &'static str,
    /// When the gateway answered (UTC).
    timestamp: String,
    /// The id of the request, as in the gateway's log.
    txnid: &'a str,
    /// A stable code.
    error_code: String,
    /// What is wrong, as a sentence.
    error_msg: &'a str,
    /// The problems of the request, the first 1,000.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ErrorItem<'a>>,
    /// How many further problems there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors_not_listed: Option<usize>,
}

/// A problem of a request.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "BulkProblem")]
struct ErrorItem<'a> {
    /// The number of the row; null outside of the rows.
    row: Option<i32>,
    /// The line of the file, for CSV and NDJSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    /// Where the problem is, as a JSON pointer into the row or the request.
    pointer: &'a str,
    /// A stable code.
    code: &'a str,
    /// What must be changed.
    message: &'a str,
}

impl<'a> BulkErrorBody<'a> {
    fn new(report: &'a ErrorReport, rows: &'a RowProblems, request_id: &'a str) -> Self {
        let around = report.problems.iter();
        let around = around.map(|problem| (At::default(), problem));
        let problems = around.chain(rows.listed.iter().map(|(at, problem)| (*at, problem)));
        Self {
            ver: VERSION,
            timestamp: timestamp(wall_clock()),
            txnid: request_id,
            error_code: without_underscores(report.code),
            error_msg: &report.detail,
            errors: problems
                .map(|(At { row, line }, problem)| ErrorItem {
                    row,
                    line,
                    pointer: &problem.pointer,
                    code: problem.code,
                    message: &problem.message,
                })
                .collect(),
            errors_not_listed: (rows.not_listed > 0).then_some(rows.not_listed),
        }
    }
}

/// Renders the errors of the bulk routes.
pub(super) async fn render_errors(
    Extension(RequestId(request_id)): Extension<RequestId>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    if let Some(report) = ErrorReport::of(&response) {
        let rows = response.extensions_mut().remove::<Arc<RowProblems>>();
        let rows = rows.unwrap_or_default();
        let body = BulkErrorBody::new(&report, &rows, &request_id);
        report.write(&mut response, "application/json", &body);
    }
    response
}

/// Converts a code to the notation of document 002: `batch_not_found` becomes `BatchNotFound`.
pub(in crate::http) fn without_underscores(code: &str) -> String {
    code.split('_')
        .flat_map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_written_as_the_document_does() {
        assert_eq!(without_underscores("batch_not_found"), "BatchNotFound");
        assert_eq!(without_underscores("unauthorized"), "Unauthorized");
    }
}
