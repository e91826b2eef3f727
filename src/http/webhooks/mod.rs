//! Webhooks: callers are told of their events at URLs of their own (`docs/WEBHOOKS.md`). The routes manage endpoints and
//! show deliveries; [`run_webhooks`] delivers.

mod body;
mod deliver;
mod deliveries;
mod endpoints;
mod receiver;
mod run;
mod schedule;
mod settings;
mod tried;

use axum::{
    http::Method,
    routing::{delete, get, patch, post},
};

pub use self::run::run_webhooks;
pub(super) use self::{
    deliveries::{DeliveriesBody, LARGEST_LIMIT},
    endpoints::{DeliveryId, EndpointBody, EndpointsBody, LONGEST_OVERLAP_HOURS},
    settings::{FASTEST, LONGEST_DESCRIPTION, LONGEST_URL, MOST_HEADERS, event_type_names},
};
use super::route_table::Table;

/// The name of the message that says that another endpoint was disabled. An endpoint may choose it like an event type.
const DISABLED: &str = "webhook.disabled";

/// The name of the message that an owner sends to try an endpoint.
const TEST: &str = "webhook.test";

/// The routes of owners.
pub(super) fn table() -> Table {
    const ENDPOINT: &str = "/webhooks/endpoints/{id}";
    vec![
        (
            Method::GET,
            "/webhooks/endpoints",
            get(endpoints::list_endpoints),
        ),
        (
            Method::POST,
            "/webhooks/endpoints",
            post(endpoints::create_endpoint),
        ),
        (Method::GET, ENDPOINT, get(endpoints::show_endpoint)),
        (Method::PATCH, ENDPOINT, patch(endpoints::change_endpoint)),
        (Method::DELETE, ENDPOINT, delete(endpoints::remove_endpoint)),
        (
            Method::POST,
            "/webhooks/endpoints/{id}/rotate",
            post(endpoints::rotate_secret),
        ),
        (
            Method::POST,
            "/webhooks/endpoints/{id}/test",
            post(endpoints::test_endpoint),
        ),
        (
            Method::POST,
            "/webhooks/endpoints/{id}/recover",
            post(endpoints::recover_endpoint),
        ),
        (
            Method::GET,
            "/webhooks/deliveries",
            get(deliveries::list_deliveries),
        ),
        (
            Method::POST,
            "/webhooks/deliveries/{id}/resend",
            post(deliveries::resend_delivery),
        ),
    ]
}
