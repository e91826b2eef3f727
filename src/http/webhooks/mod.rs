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

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

pub use self::run::run_webhooks;
use super::state::ApiState;

/// The name of the message that says that another endpoint was disabled. An endpoint may choose it like an event type.
const DISABLED: &str = "webhook.disabled";

/// The name of the message that an owner sends to try an endpoint.
const TEST: &str = "webhook.test";

/// The routes of owners.
pub(super) fn routes() -> Router<Arc<ApiState>> {
    Router::new()
        .route(
            "/webhooks/endpoints",
            get(endpoints::list_endpoints).post(endpoints::create_endpoint),
        )
        .route(
            "/webhooks/endpoints/{id}",
            get(endpoints::show_endpoint)
                .patch(endpoints::change_endpoint)
                .delete(endpoints::remove_endpoint),
        )
        .route(
            "/webhooks/endpoints/{id}/rotate",
            post(endpoints::rotate_secret),
        )
        .route(
            "/webhooks/endpoints/{id}/test",
            post(endpoints::test_endpoint),
        )
        .route(
            "/webhooks/endpoints/{id}/recover",
            post(endpoints::recover_endpoint),
        )
        .route("/webhooks/deliveries", get(deliveries::list_deliveries))
        .route(
            "/webhooks/deliveries/{id}/resend",
            post(deliveries::resend_delivery),
        )
}
