//! The routes, as tables. The router and the OpenAPI document are made of the same tables, so no route can be missing
//! in one of them.

use std::sync::Arc;

use axum::{
    http::Method,
    middleware::from_fn_with_state,
    routing::{get, post},
};

use super::{
    bulk, events, health, metrics,
    openapi::send_document,
    operate::submit_operation,
    operators::{authorize, operators_table},
    route_table::Table,
    state::ApiState,
    track,
    track_many::track_many,
    transactions, webhooks,
};

/// The routes of every process.
pub(super) fn probes_table() -> Table {
    vec![
        (Method::GET, "/healthz", get(health::report_liveness)),
        (Method::GET, "/readyz", get(health::report_readiness)),
    ]
}

/// The route that has no base path, so that a proxy that forwards only base paths does not expose it.
pub(super) fn metrics_table() -> Table {
    vec![(Method::GET, "/metrics", get(metrics::report_metrics))]
}

/// The routes of callers, except those of bulk and of transactions.
pub(super) fn callers_table() -> Table {
    let track_operation = track::with_own_errors(get(track::track_operation));
    vec![
        (Method::GET, "/openapi.json", get(send_document)),
        (Method::GET, "/events", get(events::tell_events)),
        (Method::POST, "/fineract/operate", post(submit_operation)),
        (Method::POST, "/fineract/track", post(track_many)),
        (
            Method::GET,
            "/fineract/track/{tracking_id}",
            track_operation,
        ),
    ]
}

/// The tables of all routes. Which of them a process serves depends on its settings.
pub(super) fn tables() -> Vec<Table> {
    let operators = operators_table().into_iter();
    let operators = operators.map(|(method, path, _, handler)| (method, path, handler));
    vec![
        probes_table(),
        metrics_table(),
        callers_table(),
        webhooks::table(),
        bulk::table(),
        transactions::table(),
        operators.collect(),
    ]
}

/// The routes of operators. A layer checks the scope that each route needs.
pub(super) fn guarded_table(api: &Arc<ApiState>) -> Table {
    let routes = operators_table().into_iter();
    let guarded = routes.map(|(method, path, scope, handler)| {
        let authorize = from_fn_with_state((Arc::clone(api), scope), authorize);
        (method, path, handler.route_layer(authorize))
    });
    guarded.collect()
}
