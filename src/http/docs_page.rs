//! `/docs`: a page that shows the OpenAPI document, and with which a person tries the API. It is Swagger UI, whose
//! files are in the binary, so it works without any network but the gateway's own.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use axum::{
    Router,
    body::Bytes,
    extract::{OriginalUri, Path, Request},
    http::{
        HeaderValue, StatusCode,
        header::{
            CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    middleware::{Next, from_fn},
    response::{AppendHeaders, IntoResponse, Response},
    routing::get,
};
use utoipa_swagger_ui::Config;

use super::{api_error::ApiError, location, state::ApiState};

/// What a browser may load, and where it may send requests: only to this gateway. Swagger UI writes styles into its
/// elements, and has icons in `data:` addresses.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// The settings of the page. The address of the document is relative to the page, so it is right under each prefix.
static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    let config = Config::from("../openapi.json").validator_url("none");
    Arc::new(config.try_it_out_enabled(true).display_operation_id(true))
});

/// The routes of the page.
pub(super) fn routes() -> Router<Arc<ApiState>> {
    Router::new()
        .route("/docs", get(lead_to_page))
        .route("/docs/{file}", get(send_file))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(from_fn(protect))
}

/// The files of the page are relative to its folder, and a path without a slash at its end is in no folder.
async fn lead_to_page(OriginalUri(uri): OriginalUri) -> Response {
    let page = location::relative(&uri, 0, "docs/index.html").map(|page| (LOCATION, page));
    (StatusCode::TEMPORARY_REDIRECT, AppendHeaders(page)).into_response()
}

async fn send_file(Path(name): Path<String>) -> Result<Response, ApiError> {
    match utoipa_swagger_ui::serve(&name, Arc::clone(&CONFIG)) {
        Ok(Some(file)) => {
            let kind = [(CONTENT_TYPE, file.content_type)];
            // The largest has 1.5 MB, so callers who do not read their answers must not each hold a copy.
            let bytes = match file.bytes {
                Cow::Borrowed(embedded) => Bytes::from_static(embedded),
                Cow::Owned(made) => made.into(),
            };
            Ok((kind, bytes).into_response())
        }
        Ok(None) => Err(ApiError::UnknownRoute),
        Err(error) => {
            tracing::error!(%error, "a file of the page at /docs cannot be read");
            Err(ApiError::Panicked)
        }
    }
}

/// Adds the headers that tell the browser what the page may do.
async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "same-origin"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
