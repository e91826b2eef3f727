//! What callers see: the routes on this page, one file per endpoint, one error type.
//!
//! Nothing here knows Fineract: accepting and tracking go on whatever it does. What it takes to
//! understand a payload is [`operations`](crate::operations)'; what is durable is [`store`](crate::store)'s.

mod bulk;
mod envelope;
mod error;
mod health;
mod idempotency_key;
mod json_body;
mod json_value;
mod location;
mod metrics;
mod observe;
mod operate;
mod operators;
mod prefer;
mod serve;
mod tell;
mod tokens;
mod track;
mod transactions;
mod unread;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{Method, header::AUTHORIZATION},
    middleware,
    response::IntoResponse as _,
    routing::{MethodRouter, get, post},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::Layer as _;
use tower_http::{
    catch_panic::CatchPanicLayer,
    normalize_path::{NormalizePath, NormalizePathLayer},
    sensitive_headers::SetSensitiveRequestHeadersLayer,
};

pub use self::{
    bulk::{Balances, Bulk, BulkClients},
    serve::serve,
    tokens::Tokens,
    track::{EndedBody, TrackBody},
    transactions::Budgets,
};
use self::{error::ApiError, tokens::Caller};
use crate::{domain::FineractHealth, operations::Deployment, store::Store};

/// The largest body of a request, in bytes.
const BODY_LIMIT: usize = 64 * 1024;

/// What the endpoints work with.
#[derive(Clone, Debug)]
pub struct ApiState {
    /// Whether callers come here; else the process is only asked how it is.
    pub has_callers: bool,
    /// The queue.
    pub store: Store,
    /// What payloads are checked against.
    pub deployment: Arc<Deployment>,
    /// Who may call.
    pub tokens: Tokens,
    /// Who may read transactions.
    pub api_keys: Tokens,
    /// How often they have done so this minute.
    pub budgets: Budgets,
    /// The currency of a transaction before the loan's is known.
    pub currency: String,
    /// Bulk, and who may use it.
    pub bulk: Bulk,
    /// The prefixes under which the routes are served beside the bare paths; each starts with `/` and
    /// does not end with it.
    pub base_paths: Vec<String>,
    /// How many operations may be waiting before new ones are turned away with 429.
    pub max_waiting: u64,
    /// What the worker last saw of Fineract.
    pub fineract: watch::Receiver<FineractHealth>,
    /// Whether the user in Fineract lacks `READ_AUDIT`.
    pub lacks_read_audit: watch::Receiver<bool>,
    /// Cancelled when the process begins to shut down: held answers are given at once.
    pub draining: CancellationToken,
}

/// Every route, under each base path and under none: a proxy may strip its prefix. Slashes at the end of a
/// path do not count.
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
        .fallback(async || ApiError::UnknownRoute);
    // The base path `/` is the bare one.
    for base_path in api.base_paths.iter().filter(|path| !path.is_empty()) {
        all = all.nest(base_path, bare.clone());
    }
    NormalizePathLayer::trim_trailing_slash().layer(surround(all).with_state(api))
}

fn with_callers_routes(
    probes: Router<Arc<ApiState>>,
    api: &Arc<ApiState>,
) -> Router<Arc<ApiState>> {
    let mut bare = probes
        .route("/fineract/operate", post(operate::submit_operation))
        .route(track::ROUTE, get(track::track_operation));
    if api.bulk.is_on() {
        bare = bare.merge(bulk::routes());
    }
    if api.tokens.know_operators() {
        bare = bare.merge(operators_router());
    }
    bare.method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .merge(transactions::routes(api))
}

/// The operators' routes: method, path and handler. Each requires the `ops` scope.
fn operators_table() -> [(Method, &'static str, MethodRouter<Arc<ApiState>>); 13] {
    use operators as o;
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    [
        (GET, "/fineract/books", get(o::show_books)),
        (POST, "/fineract/books/epochs", post(o::confirm_books)),
        (
            POST,
            "/fineract/lanes/{lane}/number",
            post(o::confirm_number),
        ),
        (GET, "/fineract/hold", get(o::show_hold)),
        (POST, "/fineract/hold/release", post(o::release_on_hold)),
        (POST, "/fineract/hold/end", post(o::end_hold)),
        (GET, "/fineract/operations", get(o::list_operations)),
        (GET, "/fineract/operations/{id}", get(o::inspect_operation)),
        (
            POST,
            "/fineract/operations/{id}/cancel",
            post(o::cancel_operation),
        ),
        (
            POST,
            "/fineract/operations/{id}/retry",
            post(o::retry_operation),
        ),
        (
            POST,
            "/fineract/operations/{id}/hold",
            post(o::hold_operation),
        ),
        (
            POST,
            "/fineract/operations/{id}/release",
            post(o::release_operation),
        ),
        (
            POST,
            "/fineract/operations/{id}/resolve",
            post(o::resolve_operation),
        ),
    ]
}

fn operators_router() -> Router<Arc<ApiState>> {
    let routes = operators_table().into_iter();
    routes.fold(Router::new(), |router, (_, path, handler)| {
        router.route(path, handler)
    })
}

/// The method and the path of every route of the operators, without a base path.
pub fn operators_routes() -> Vec<(Method, &'static str)> {
    let routes = operators_table().into_iter();
    routes.map(|(method, path, _)| (method, path)).collect()
}

/// What goes around every request, the outermost last.
fn surround<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(CatchPanicLayer::custom(|_| {
            ApiError::Panicked.into_response()
        }))
        .layer(middleware::from_fn(observe::observe_request))
        .layer(SetSensitiveRequestHeadersLayer::new([
            tokens::HEADER,
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
    async fn a_panic_is_told_as_a_500_without_its_cause() {
        let router = surround(Router::new().route("/", get(async || -> () { panic!("cause") })));
        let request = Request::get("/")
            .header("x-request-id", "id-1")
            .body(Body::empty());
        let response = router.oneshot(request.unwrap()).await.unwrap();
        let body = to_bytes(response.into_body(), BODY_LIMIT).await.unwrap();
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&body).unwrap(),
            json!({
                "type": "urn:problem-type:fineract-gateway:internal_error",
                "title": "Internal Server Error",
                "status": 500,
                "detail": "The gateway failed; its log says why, by request_id.",
                "code": "internal_error",
                "request_id": "id-1"
            })
        );
    }

    #[tokio::test]
    async fn a_panic_of_track_is_told_as_an_operation_under_way() {
        let panics = get(async || -> () { panic!("cause") });
        let router =
            surround(Router::new().nest("/api", Router::new().route(track::ROUTE, panics)));
        let id = "CLIENT_CREATE|406362bf-f3da-4bc6-a506-d67e0878b7b6";
        let path = format!("/api/fineract/track/{}", id.replace('|', "%7C"));
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(response.headers()["content-type"], "application/json");
        let body = to_bytes(response.into_body(), BODY_LIMIT).await.unwrap();
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&body).unwrap(),
            json!({ "tracking_id": id, "status": "processing" })
        );
    }
}
