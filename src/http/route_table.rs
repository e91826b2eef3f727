//! A table of routes, and the router that is made of it.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    http::{HeaderValue, Method, StatusCode, header::ALLOW},
    routing::MethodRouter,
};

use super::{api_error::ApiError, need::Need, state::ApiState};

/// A route: its method, its path, the scopes of which it needs one, and its handler.
pub(super) type Route = (Method, &'static str, Need, MethodRouter<Arc<ApiState>>);

/// The routes of one part of the API.
pub(super) type Table = Vec<Route>;

/// Builds the router of a table, whose needs are checked by [`guarded`](super::access::guarded). Each path also answers `OPTIONS` (RFC 9110 section 9.3.7), without a credential, and
/// refuses every other method.
pub(super) fn router_of(table: Table) -> Router<Arc<ApiState>> {
    let mut paths: BTreeMap<&str, (Vec<Method>, MethodRouter<Arc<ApiState>>)> = BTreeMap::new();
    for (method, path, _, handler) in table {
        let (methods, handlers) = paths.entry(path).or_default();
        methods.push(method);
        *handlers = std::mem::take(handlers).merge(handler);
    }
    let paths = paths.into_iter();
    let router = paths.fold(Router::new(), |router, (path, (methods, handlers))| {
        let allow = allow(&methods);
        let answer = move || std::future::ready((StatusCode::NO_CONTENT, [(ALLOW, allow.clone())]));
        router.route(path, handlers.options(answer))
    });
    router.method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
}

/// The value of `Allow` for a path with these methods.
fn allow(methods: &[Method]) -> HeaderValue {
    let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    if methods.contains(&Method::GET) {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    // Always valid, because the names of methods are visible ASCII.
    HeaderValue::try_from(names.join(",")).unwrap_or(HeaderValue::from_static(""))
}
