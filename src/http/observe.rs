//! The layer around every request: its id, its log span, and the headers of every answer.

use std::{net::IpAddr, sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue, header::CACHE_CONTROL},
    middleware::Next,
    response::Response,
};
use tracing::{Instrument as _, field};
use uuid::Uuid;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The scheme that the browser uses, as proxies tell it. The gateway itself sets it for its own connections with TLS.
pub(super) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const LONGEST_REQUEST_ID: usize = 128;

/// The address from which the connection of a request comes. Behind a proxy, this is the address of the proxy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// The id of the request. The answer also contains it.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestId(pub(super) Arc<str>);

/// Runs a request in a log span of its own. The span contains no payload, token or query.
pub(super) async fn observe_request(mut request: Request, next: Next) -> Response {
    let id: Arc<str> = request_id(request.headers()).into();
    request.extensions_mut().insert(RequestId(Arc::clone(&id)));
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("", MatchedPath::as_str);
    let span = tracing::info_span!(
        "request",
        request_id = &*id,
        method = request.method().as_str(),
        route,
        caller = field::Empty,
    );
    let started = Instant::now();
    async {
        let mut response = next.run(request).await;
        let headers = response.headers_mut();
        // Always `Ok`, because the id is visible ASCII.
        if let Ok(value) = HeaderValue::from_str(&id) {
            headers.insert(X_REQUEST_ID, value);
        }
        headers
            .entry(CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
        tracing::debug!(
            status = response.status().as_u16(),
            duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "answered"
        );
        response
    }
    .instrument(span)
    .await
}

/// The id that the caller gave to the request, if this id is safe in a log line. Otherwise a new id.
fn request_id(headers: &HeaderMap) -> String {
    headers
        .get(X_REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .filter(|id| (1..=LONGEST_REQUEST_ID).contains(&id.len()))
        .filter(|id| id.bytes().all(|byte| byte.is_ascii_graphic()))
        .map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}
