//! The routes, as tables. The router and the OpenAPI document are made of the same tables, so no route can be missing
//! in one of them.

use axum::{
    http::Method,
    routing::{get, post},
};

use super::{
    bulk, events, health, keys, metrics, need::Need, openapi::send_document,
    operate::submit_operation, operators::operators_table, route_table::Table, track,
    track_many::track_many, transactions, webhooks,
};
use crate::domain::Scope;

/// The need of a route that everybody may use.
const OPEN: Need = &[];
const TRACK: Need = &[Scope::Track];

/// The routes of every process.
pub(super) fn probes_table() -> Table {
    vec![
        (Method::GET, "/healthz", OPEN, get(health::report_liveness)),
        (Method::GET, "/readyz", OPEN, get(health::report_readiness)),
    ]
}

/// The route that has no base path, so that a proxy that forwards only base paths and does not strip them does not expose
/// it.
pub(super) fn metrics_table() -> Table {
    vec![(Method::GET, "/metrics", OPEN, get(metrics::report_metrics))]
}

/// The routes of callers, except those that render their errors in a form of their own.
pub(super) fn callers_table() -> Table {
    vec![
        (Method::GET, "/openapi.json", OPEN, get(send_document)),
        (
            Method::GET,
            "/events",
            &[Scope::Track, Scope::Bulk],
            get(events::tell_events),
        ),
        (
            Method::POST,
            "/fineract/operate",
            &[Scope::Operate],
            post(submit_operation),
        ),
        (Method::POST, "/fineract/track", TRACK, post(track_many)),
    ]
}

/// The route of document 000, which renders its temporary errors itself.
pub(super) fn track_table() -> Table {
    vec![(
        Method::GET,
        "/fineract/track/{tracking_id}",
        TRACK,
        get(track::track_operation),
    )]
}

/// The tables of all routes of a process that serves callers.
pub(super) fn tables() -> Vec<Table> {
    vec![
        probes_table(),
        metrics_table(),
        callers_table(),
        track_table(),
        webhooks::table(),
        bulk::table(),
        transactions::table(),
        operators_table(),
        keys::table(),
    ]
}
