//! How an error reaches its caller: `IntoResponse` of the error puts a report into the response, and a layer
//! around the routes renders the report.
//!
//! Only the layer knows the id of the request and the error format of its routes. Every layer can render every report.
//! The outermost layer, in [`problem`](super::problem), renders the reports that no other layer has rendered.

use std::{error::Error, sync::Arc};

use axum::{
    body::Body,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use chrono::NaiveDate;
use serde::Serialize;

use crate::{operations::Problem, telemetry::chain};

/// An error as data: everything that a layer needs to render and log the error.
#[derive(Debug)]
pub(super) struct ErrorReport {
    /// The HTTP status.
    pub(super) status: StatusCode,
    /// The stable name that callers may rely on.
    pub(super) code: &'static str,
    /// A sentence for the caller. It never contains the error's source.
    pub(super) detail: String,
    /// The problems of the body. Only a 422 has problems.
    pub(super) problems: Vec<Problem>,
    /// The cursor before the oldest events. Only the 410 of events has one.
    pub(super) oldest: Option<i64>,
    /// The day on which the data was dropped. Only the 410 of an operation has one.
    pub(super) dropped_on: Option<NaiveDate>,
    /// After how many seconds another try may succeed.
    pub(super) retry_after: Option<u16>,
    /// How the caller has to authenticate (`WWW-Authenticate`). Each 401 has a challenge.
    pub(super) challenge: Option<&'static str>,
    /// The error's sources, for the log only.
    cause: Option<String>,
}

impl ErrorReport {
    /// Creates a report without problems and without a challenge. The status determines `retry_after`.
    pub(super) fn new(status: StatusCode, code: &'static str, error: &dyn Error) -> Self {
        Self {
            status,
            code,
            detail: error.to_string(),
            problems: Vec::new(),
            oldest: None,
            dropped_on: None,
            retry_after: match status {
                StatusCode::TOO_MANY_REQUESTS => Some(10),
                StatusCode::SERVICE_UNAVAILABLE => Some(5),
                _ => None,
            },
            challenge: None,
            cause: error.source().map(|source| chain(source).to_string()),
        }
    }

    /// The report in a response. `None` if the response is not an error, or if its error has already been rendered.
    pub(super) fn of(response: &Response) -> Option<Arc<Self>> {
        response.extensions().get().cloned()
    }

    /// Whether the same request may get another answer later.
    pub(super) fn is_temporary(&self) -> bool {
        self.status.is_server_error()
            || matches!(
                self.status,
                StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
            )
    }

    /// Renders the error: adds the body and the headers to the response that contains this report, and logs the error.
    pub(super) fn write(
        &self,
        response: &mut Response,
        content_type: &'static str,
        body: &impl Serialize,
    ) {
        // The bodies consist of texts and numbers, which always serialize.
        let body = serde_json::to_vec(body).unwrap_or_default();
        self.write_text(response, content_type, body);
    }

    /// As [`ErrorReport::write`], with a body that is already rendered.
    pub(super) fn write_text(
        &self,
        response: &mut Response,
        content_type: &'static str,
        body: impl Into<Body>,
    ) {
        response.extensions_mut().remove::<Arc<Self>>();
        self.log();
        *response.body_mut() = body.into();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = self.challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
    }

    fn log(&self) {
        let Self { code, cause, .. } = self;
        if self.status.is_server_error() {
            tracing::error!(code, cause, "a request failed");
        } else {
            tracing::debug!(code, cause, "a request was refused");
        }
    }
}

impl IntoResponse for ErrorReport {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}
