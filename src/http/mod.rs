//! The HTTP interface: this file has the routes, and each endpoint has a file of its own.
//!
//! The endpoints accept and report operations even while Fineract is unavailable. They never call Fineract, except to
//! read the balances for a bulk status. [`operations`](crate::operations) checks payloads, and [`store`](crate::store)
//! reads and writes the database.

mod access;
mod api_error;
mod body;
mod body_too_slow;
mod bulk;
mod callers_trace;
mod connections;
mod database_probe;
#[cfg(feature = "docs-ui")]
mod docs_page;
mod envelope;
mod error;
mod events;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod health;
mod idempotency_key;
mod json_body;
mod json_value;
mod keys;
mod location;
mod metrics;
mod need;
mod network;
mod observe;
mod openapi;
mod operate;
mod operators;
mod page;
mod parameters;
mod prefer;
mod problem;
mod route_table;
mod routes;
mod state;
mod tokens;
mod track;
mod track_many;
mod transactions;
mod webhooks;

use std::sync::Arc;

use axum::{
    Extension, Router,
    body::Bytes,
    http::{Method, header::AUTHORIZATION},
    middleware::from_fn,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::Layer as _;
use tower_http::{
    normalize_path::{NormalizePath, NormalizePathLayer},
    sensitive_headers::SetSensitiveRequestHeadersLayer,
};

pub use self::{
    access::{Credentials, WrongSecrets},
    bulk::{Balances, Bulk, BulkClients},
    connections::{ConnectionLimits, Door},
    database_probe::DatabaseProbe,
    events::Streams,
    keys::{KeyBody, KeyRequest},
    operators::run_repairs,
    page::{Page, explains},
    state::ApiState,
    tokens::Tokens,
    track::{EndedBody, TrackBody},
    transactions::Budgets,
    webhooks::run_webhooks,
};
use self::{
    access::{X_INTERNAL_TOKEN, guarded},
    api_error::{ApiError, catch_panics},
    openapi::Document,
    operators::operators_table,
    route_table::router_of,
    routes::{callers_table, metrics_table, probes_table, tables, track_table},
};
use crate::{domain::Scope, operations::Deployment};

/// Serves every route at the door until `stop` is cancelled. Then it finishes the requests that are in progress, and returns.
pub async fn serve(door: Door, state: ApiState, stop: CancellationToken) {
    connections::serve_connections(door, router(state), stop).await;
}

/// Builds the router. Every route except `/metrics` exists without a prefix and under each base path, because a proxy
/// may or may not strip the prefix. Trailing slashes of a path are ignored.
fn router(state: ApiState) -> NormalizePath<Router> {
    let api = Arc::new(state);
    let mut bare = router_of(probes_table());
    if api.has_callers {
        bare = bare.merge(callers_routes(&api));
    }
    let mut all = bare
        .clone()
        .merge(router_of(metrics_table()))
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
    if api.has_callers {
        page::routes(api)
    } else {
        Router::new()
    }
}

/// The routes of callers and of operators, and the document that describes them.
fn callers_routes(api: &Arc<ApiState>) -> Router<Arc<ApiState>> {
    let of_problems = [
        callers_table(),
        webhooks::table(),
        operators_table(),
        keys::table(),
    ];
    let of_problems = of_problems.into_iter().flatten().collect();
    let track = router_of(guarded::<ApiError>(api, track_table()));
    let router = router_of(guarded::<ApiError>(api, of_problems))
        .merge(track::with_own_errors(track))
        .merge(transactions::routes(api))
        .merge(bulk::routes(api));
    #[cfg(feature = "docs-ui")]
    let router = router.merge(docs_page::routes());
    router.layer(Extension(described(api)))
}

fn described(api: &ApiState) -> Document {
    let document = openapi::document(&tables(), &api.deployment);
    Document(Bytes::from(document.to_string()))
}

/// The OpenAPI document of every route that a gateway of this deployment may serve.
pub fn api_document(deployment: &Deployment) -> Value {
    openapi::whole_document(deployment)
}

/// The method and the path of every route of the API, without a base path, and the scopes of which it needs one.
pub fn routes() -> Vec<(Method, &'static str, &'static [Scope])> {
    let routes = tables().into_iter().flatten();
    routes
        .map(|(method, path, need, _)| (method, path, need))
        .collect()
}

/// The method and the path of every route of the operators, without a base path.
pub fn operators_routes() -> Vec<(Method, &'static str)> {
    let routes = operators_table().into_iter();
    routes.map(|(method, path, ..)| (method, path)).collect()
}

/// Adds the layers around every request, the outermost last.
fn surround<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router
        .layer(catch_panics())
        .layer(from_fn(problem::render_errors))
        .layer(from_fn(observe::observe_request))
        .layer(SetSensitiveRequestHeadersLayer::new([
            X_INTERNAL_TOKEN,
            bulk::CLIENT_SECRET,
            AUTHORIZATION,
        ]))
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Body, to_bytes},
        http::Request,
        routing::get,
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
            serde_json::from_slice::<Value>(&body).unwrap(),
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
        let panics = get(async || -> () { panic!("cause") });
        let track = Router::new().route("/fineract/track/{tracking_id}", panics);
        let track = track::with_own_errors(track);
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
            serde_json::from_slice::<Value>(&body).unwrap(),
            json!({ "tracking_id": id, "status": "processing" })
        );
    }
}
