//! Bulk (document 002): many operations in one upload, and the state of each row of the upload.
//!
//! A row is checked and accepted like a single operation. This folder only reads uploads, and answers in the
//! document's envelope.

mod authenticate;
mod balances;
mod cancel;
mod clients;
mod csv_payload;
mod csv_rows;
mod envelope;
mod error;
mod error_body;
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

use axum::{Router, http::Method, middleware::from_fn, routing::post};

pub(super) use self::{
    authenticate::{CLIENT_SECRET, client_name},
    balances::AccountDetails,
    cancel::CancelBody,
    envelope::{BatchBody, Envelope},
    error_body::{BulkErrorBody, without_underscores},
    retry::RetryBody,
    status::StatusBody,
    whole_batch::WholeBatch,
};
pub use self::{balances::Balances, clients::BulkClients, state::Bulk};
use super::{
    api_error::catch_panics,
    route_table::{Table, router_of},
    state::ApiState,
};

/// The routes of bulk.
pub(super) fn table() -> Table {
    vec![
        (
            Method::POST,
            "/bulk/schedule",
            post(schedule::schedule_batch),
        ),
        (Method::POST, "/bulk/status", post(status::report_batch)),
        (Method::POST, "/bulk/retry", post(retry::retry_batch)),
        (Method::POST, "/bulk/cancel", post(cancel::cancel_batch)),
    ]
}

/// The router of bulk. It renders its errors in the format of document 002.
pub(super) fn routes() -> Router<Arc<ApiState>> {
    router_of(table())
        .layer(catch_panics())
        .layer(from_fn(error_body::render_errors))
}
