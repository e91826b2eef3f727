//! The routes of the operators, each with the scope that it needs: reading needs `ops.read`, an action needs `ops`.

use std::sync::Arc;

use axum::{
    http::Method,
    routing::{MethodRouter, get, post},
};

use super::{self as o, OpsScope};
use crate::http::{events::stream_events, state::ApiState};

/// A route: its method, its path, the scope that it needs, and its handler.
pub(in crate::http) type Route = (Method, &'static str, OpsScope, MethodRouter<Arc<ApiState>>);

/// All routes of the operators, without a base path.
pub(in crate::http) fn operators_table() -> Vec<Route> {
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const READ: OpsScope = OpsScope::Read;
    const ACT: OpsScope = OpsScope::Act;
    #[rustfmt::skip]
    let routes = vec![
        (GET, "/fineract/operations", READ, get(o::list_operations)),
        (GET, "/fineract/operations/counts", READ, get(o::count_operations)),
        (GET, "/fineract/operations/{id}", READ, get(o::inspect_operation)),
        (POST, "/fineract/operations/{id}/cancel", ACT, post(o::cancel_operation)),
        (POST, "/fineract/operations/{id}/retry", ACT, post(o::retry_operation)),
        (POST, "/fineract/operations/{id}/hold", ACT, post(o::hold_operation)),
        (POST, "/fineract/operations/{id}/release", ACT, post(o::release_operation)),
        (POST, "/fineract/operations/{id}/resolve", ACT, post(o::resolve_operation)),
        (POST, "/fineract/repairs", ACT, post(o::post_repair)),
        (GET, "/fineract/repairs", READ, get(o::list_repairs)),
        (GET, "/fineract/repairs/{id}", READ, get(o::show_repair)),
        (POST, "/fineract/repairs/{id}/stop", ACT, post(o::stop_repair)),
        (GET, "/fineract/lanes/{lane}", READ, get(o::show_lane)),
        (POST, "/fineract/lanes/{lane}/number", ACT, post(o::confirm_number)),
        (GET, "/fineract/status", READ, get(o::show_status)),
        (GET, "/fineract/audit", READ, get(o::show_audit)),
        (GET, "/fineract/books", READ, get(o::show_books)),
        (POST, "/fineract/books/epochs", ACT, post(o::confirm_books)),
        (GET, "/fineract/events", READ, get(stream_events)),
        (GET, "/fineract/webhooks", READ, get(o::show_webhooks)),
        (GET, "/fineract/hold", READ, get(o::show_hold)),
        (POST, "/fineract/hold/release", ACT, post(o::release_on_hold)),
        (POST, "/fineract/hold/end", ACT, post(o::end_hold)),
    ];
    routes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_needs_the_scope_to_read_and_acting_the_scope_to_act() {
        for (method, path, scope, _) in operators_table() {
            let expected = if method == Method::GET {
                OpsScope::Read
            } else {
                OpsScope::Act
            };
            assert_eq!(scope, expected, "{method} {path}");
        }
    }
}
