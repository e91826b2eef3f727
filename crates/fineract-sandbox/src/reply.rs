//! An answer of Fineract. The sandbox sends it, and stores it for repetitions of the command.

use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_TYPE, HeaderName, LOCATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) content_type: Option<&'static str>,
    pub(super) body: String,
    /// Whether this answer is a stored answer (`x-served-from-cache: true`).
    pub(super) from_cache: bool,
    pub(super) header: Option<(HeaderName, &'static str)>,
}

const JSON: &str = "application/json";

impl Reply {
    pub(super) fn json(status: StatusCode, body: String) -> Self {
        Self {
            status,
            content_type: Some(JSON),
            body,
            from_cache: false,
            header: None,
        }
    }

    pub(super) fn ok(body: String) -> Self {
        Self::json(StatusCode::OK, body)
    }

    /// Tomcat's own error page.
    pub(super) fn html(status: StatusCode) -> Self {
        let body =
            format!("<!doctype html><html><body><h1>HTTP Status {status}</h1></body></html>");
        Self {
            content_type: Some("text/html;charset=utf-8"),
            ..Self::json(status, body)
        }
    }

    pub(super) fn challenged(self) -> Self {
        Self {
            header: Some((WWW_AUTHENTICATE, "Basic realm=\"Fineract Platform API\"")),
            ..self
        }
    }

    pub(super) fn redirect() -> Self {
        Self {
            content_type: None,
            header: Some((LOCATION, "https://localhost:8443/fineract-provider/")),
            ..Self::json(StatusCode::FOUND, String::new())
        }
    }

    pub(super) fn cached(self) -> Self {
        Self {
            from_cache: true,
            ..self
        }
    }

    /// Converts the answer for axum. A 400 or a 500 also closes the connection (`docs/fineract/outages.md`,
    /// "Connections").
    pub(super) fn into_response(self) -> Response<Body> {
        let ends = matches!(
            self.status,
            StatusCode::BAD_REQUEST | StatusCode::INTERNAL_SERVER_ERROR
        );
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(content_type) = self.content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if let Some((name, value)) = self.header {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if self.from_cache {
            headers.insert("x-served-from-cache", HeaderValue::from_static("true"));
        }
        if ends {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
