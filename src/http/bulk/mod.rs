//! Bulk (document 002): many operations in one upload, and the state of each row of the upload.
//!
//! A row is checked and accepted like a single operation. This folder only reads uploads, and answers in the
//! document's envelope.

mod balances;
mod cancel;
mod clients;
mod csv_payload;
mod csv_rows;
mod envelope;
mod error;
mod error_body;
#[cfg(feature = "fuzzing")]
pub(super) mod fuzzing;
mod json_rows;
mod modifications;
mod names;
pub(super) mod refusals;
mod request;
mod retry;
mod retry_row;
mod rows;
mod schedule;
mod slips;
mod spreadsheet;
mod state;
mod status;
mod upload;
mod whole_batch;

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderName, Method},
    middleware::from_fn,
    routing::post,
};

use self::error::BulkError;
pub(super) use self::{
    balances::AccountDetails,
    cancel::CancelBody,
    clients::BULK_CLIENT,
    envelope::{BatchBody, Envelope},
    error_body::{BulkErrorBody, without_underscores},
    retry::RetryBody,
    status::StatusBody,
    whole_batch::WholeBatch,
};
pub use self::{balances::Balances, clients::BulkClients, state::Bulk};
use super::{
    access::guarded,
    api_error::catch_panics,
    need::Need,
    route_table::{Table, router_of},
    state::ApiState,
};
use crate::domain::Scope;

/// The header that carries the secret of a bulk client. Header names are case-insensitive.
pub(super) const CLIENT_SECRET: HeaderName = HeaderName::from_static("client_secret");

const NEED: Need = &[Scope::Bulk];

/// The routes of bulk.
pub(super) fn table() -> Table {
    vec![
        (
            Method::POST,
            "/bulk/schedule",
            NEED,
            post(schedule::schedule_batch),
        ),
        (
            Method::POST,
            "/bulk/status",
            NEED,
            post(status::report_batch),
        ),
        (Method::POST, "/bulk/retry", NEED, post(retry::retry_batch)),
        (
            Method::POST,
            "/bulk/cancel",
            NEED,
            post(cancel::cancel_batch),
        ),
    ]
}

/// The router of bulk. It renders its errors in the format of document 002.
pub(super) fn routes(api: &Arc<ApiState>) -> Router<Arc<ApiState>> {
    router_of(guarded::<BulkError>(api, table()))
        .layer(catch_panics())
        .layer(from_fn(error_body::render_errors))
}
