//! The HTTP interface: this file has the routes, and each endpoint has a file of its own.
//!
//! The endpoints accept and report operations even while Fineract is unavailable. They never call Fineract, except to
//! read the balances for a bulk status. [`operations`](crate::operations) checks payloads, and [`store`](crate::store)
//! reads and writes the database.

mod api_error;
mod authenticate;
mod body;
mod bulk;
mod envelope;
mod error;
mod events;
mod health;
mod idempotency_key;
mod json_body;
mod json_value;
mod location;
mod metrics;
mod observe;
mod operate;
mod operators;
mod page;
mod prefer;
mod problem;
mod serve;
mod state;
mod tokens;
mod track;
mod track_many;
mod transactions;
mod unread;
mod webhooks;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{Method, header::AUTHORIZATION},
    middleware::{from_fn, from_fn_with_state},
    routing::{get, post},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::Layer as _;
use tower_http::{
    normalize_path::{NormalizePath, NormalizePathLayer},
    sensitive_headers::SetSensitiveRequestHeadersLayer,
};

use self::{
    api_error::{ApiError, catch_panics},
    operators::operators_table,
};
pub use self::{
    bulk::{Balances, Bulk, BulkClients},
    events::Streams,
    operators::run_repairs,
    page::{Page, explains},
    state::ApiState,
    tokens::Tokens,
    track::{EndedBody, TrackBody},
    transactions::Budgets,
    webhooks::run_webhooks,
};

/// Serves every route until `stop` is cancelled. Then it finishes the requests that are in progress, and returns.
pub async fn serve(listener: TcpListener, state: ApiState, stop: CancellationToken) {
    serve::serve_connections(listener, router(state), stop).await;
}

/// Builds the router. Every route except `/metrics` exists without a prefix and under each base path, because a proxy
/// may or may not strip the prefix. Trailing slashes of a path are ignored.
fn router(state: ApiState) -> NormalizePath<Router> {
    let api = Arc::new(state);
    let probes = Router::new()
        .route("/healthz", get(health::report_liveness))
        .route("/readyz", get(health::report_readiness));
    let bare = if api.has_callers {
        with_callers_routes(probes, &api)
    } else {
        probes.method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
    };
    let mut all = bare
        .clone()
        .route("/metrics", get(metrics::report_metrics))
        .merge(pages(&api))
        .fallback(async || ApiError::UnknownRoute);
    // The base path `/` is stored as an empty prefix. The routes without a prefix already cover it.
    for base_path in api.base_paths.iter().filter(|path| !path.is_empty()) {
        all = all.nest(base_path, bare.clone());
    }
    NormalizePathLayer::trim_trailing_slash().layer(surround(all).with_state(api))
}

/// The operators' page, which has no base path: its links and its cookie are for one address.
fn pages(api: &Arc<ApiState>) -> Router<Arc<ApiState>> {
    if api.has_callers && api.tokens.has_operators() {
        page::routes(api)
    } else {
        Router::new()
    }
}

fn with_callers_routes(
    probes: Router<Arc<ApiState>>,
    api: &Arc<ApiState>,
) -> Router<Arc<ApiState>> {
    let mut bare = probes
        .route("/events", get(events::tell_events))
        .route("/fineract/operate", post(operate::submit_operation))
        .route("/fineract/track", post(track_many::track_many))
        .route(
            "/fineract/track/{tracking_id}",
            track::with_own_errors(get(track::track_operation)),
        )
        .merge(webhooks::routes());
    if api.bulk.is_on() {
        bare = bare.merge(bulk::routes());
    }
    if api.tokens.has_operators() {
        bare = bare.merge(operators_router(api));
    }
    bare.method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .merge(transactions::routes(api))
}

fn operators_router(api: &Arc<ApiState>) -> Router<Arc<ApiState>> {
    let routes = operators_table().into_iter();
    routes.fold(Router::new(), |router, (_, path, scope, handler)| {
        let authorize = from_fn_with_state((Arc::clone(api), scope), operators::authorize);
        router.route(path, handler.route_layer(authorize))
    })
}

/// The method and the path of every route of the operators, without a base path.
pub fn operators_routes() -> Vec<(Method, &'static str)> {
    let routes = operators_table().into_iter();
    routes.map(|(method, path, ..)| (method, path)).collect()
}

/// Adds the layers around every request, the outermost last.
fn surround<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router
        .layer(DefaultBodyLimit::max(body::BODY_LIMIT))
        .layer(catch_panics())
        .layer(from_fn(problem::render_errors))
        .layer(from_fn(observe::observe_request))
        .layer(SetSensitiveRequestHeadersLayer::new([
            authenticate::X_INTERNAL_TOKEN,
            bulk::CLIENT_SECRET,
            AUTHORIZATION,
        ]))
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Body, to_bytes},
        http::Request,
    };
    use serde_json::json;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_reported_as_a_500_without_its_cause() {
        let router = surround(Router::new().route("/", get(async || -> () { panic!("cause") })));
        let request = Request::get("/")
            .header("x-request-id", "id-1")
            .body(Body::empty());
        let response = router.oneshot(request.unwrap()).await.unwrap();
        let body = to_bytes(response.into_body(), 1024).await.unwrap();
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&body).unwrap(),
            json!({
                "type": "urn:problem-type:fineract-gateway:internal_error",
                "title": "Internal Server Error",
                "status": 500,
                "detail": "The gateway failed; search its log for the request_id to find the reason.",
                "code": "internal_error",
                "request_id": "id-1"
            })
        );
    }

    #[tokio::test]
    async fn a_panic_of_track_is_reported_as_an_operation_in_progress() {
        let panics = track::with_own_errors(get(async || -> () { panic!("cause") }));
        let track = Router::new().route("/fineract/track/{tracking_id}", panics);
        let router = surround(Router::new().nest("/api", track));
        let id = "CLIENT_CREATE|406362bf-f3da-4bc6-a506-d67e0878b7b6";
        let path = format!("/api/fineract/track/{}", id.replace('|', "%7C"));
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(response.headers()["content-type"], "application/json");
        let body = to_bytes(response.into_body(), 1024).await.unwrap();
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&body).unwrap(),
            json!({ "tracking_id": id, "status": "processing" })
        );
    }
}
