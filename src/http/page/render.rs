//! Turns pages into responses.

use askama::Template;
use axum::{
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};

use crate::{http::error::ErrorReport, telemetry::chain};

/// A page that loads an address again, so that the browser sends the cookie.
#[derive(Template)]
#[template(path = "continue.html")]
struct Continue<'a> {
    here: &'a str,
}

/// Answers with a page that loads this address again.
pub(super) fn continue_here(here: &str) -> Response {
    html(&Continue { here })
}

/// Renders a page.
pub(super) fn html(page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => ([(CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response(),
        Err(error) => {
            tracing::error!(error = %chain(&error), "a page cannot be rendered");
            ErrorReport::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", &error)
                .into_response()
        }
    }
}
