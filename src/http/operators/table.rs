//! The routes of the operators, each with the scope that it needs: reading needs `ops.read`, an action needs `ops`.

use axum::{
    http::Method,
    routing::{get, post},
};

use super as o;
use crate::{
    domain::Scope,
    http::{events::stream_events, need::Need, route_table::Table},
};

const READ: Need = &[Scope::OpsRead];
const ACT: Need = &[Scope::Ops];

/// All routes of the operators, without a base path.
pub(in crate::http) fn operators_table() -> Table {
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
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
            let expected = if method == Method::GET { READ } else { ACT };
            assert_eq!(scope, expected, "{method} {path}");
        }
    }
}
