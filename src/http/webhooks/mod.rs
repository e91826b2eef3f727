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
use super::{need::Need, route_table::Table};
use crate::domain::Scope;

const NEED: Need = &[Scope::Webhooks];

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
            NEED,
            get(endpoints::list_endpoints),
        ),
        (
            Method::POST,
            "/webhooks/endpoints",
            NEED,
            post(endpoints::create_endpoint),
        ),
        (Method::GET, ENDPOINT, NEED, get(endpoints::show_endpoint)),
        (
            Method::PATCH,
            ENDPOINT,
            NEED,
            patch(endpoints::change_endpoint),
        ),
        (
            Method::DELETE,
            ENDPOINT,
            NEED,
            delete(endpoints::remove_endpoint),
        ),
        (
            Method::POST,
            "/webhooks/endpoints/{id}/rotate",
            NEED,
            post(endpoints::rotate_secret),
        ),
        (
            Method::POST,
            "/webhooks/endpoints/{id}/test",
            NEED,
            post(endpoints::test_endpoint),
        ),
        (
            Method::POST,
            "/webhooks/endpoints/{id}/recover",
            NEED,
            post(endpoints::recover_endpoint),
        ),
        (
            Method::GET,
            "/webhooks/deliveries",
            NEED,
            get(deliveries::list_deliveries),
        ),
        (
            Method::POST,
            "/webhooks/deliveries/{id}/resend",
            NEED,
            post(deliveries::resend_delivery),
        ),
    ]
}
