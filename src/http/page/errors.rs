//! Errors as a page.

use askama::Template;
use axum::{
    Extension,
    extract::{OriginalUri, Request},
    http::Method,
    middleware::Next,
    response::Response,
};

use super::assets;
use crate::http::{error::ErrorReport, observe::RequestId};

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    style: &'static str,
    status: u16,
    title: &'a str,
    detail: &'a str,
    problems: Vec<String>,
    request_id: &'a str,
    back: &'a str,
}

/// Renders every error of the page.
pub(super) async fn render_errors(
    Extension(RequestId(request_id)): Extension<RequestId>,
    OriginalUri(uri): OriginalUri,
    request: Request,
    next: Next,
) -> Response {
    let is_form = request.method() == Method::POST;
    let mut response = next.run(request).await;
    let Some(report) = ErrorReport::of(&response) else {
        return response;
    };
    // A form is sent to `{page}/{action}`.
    let back = uri.path().rsplit_once('/').map_or("/ops", |(page, _)| page);
    let problems = report.problems.iter();
    let page = ErrorPage {
        style: assets::style(),
        status: report.status.as_u16(),
        title: if report.problems.is_empty() {
            report.status.canonical_reason().unwrap_or_default()
        } else {
            "Nothing was done"
        },
        // If there are problems, they say what is wrong.
        detail: if report.problems.is_empty() {
            &report.detail
        } else {
            ""
        },
        problems: problems.map(|problem| problem.message.clone()).collect(),
        request_id: &request_id,
        back: if is_form && back.starts_with("/ops/") {
            back
        } else {
            "/ops"
        },
    };
    let text = page.render().unwrap_or_default();
    report.write_text(&mut response, "text/html; charset=utf-8", text);
    response
}
