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

use axum::{Router, middleware::from_fn, routing::post};

pub(super) use self::{
    authenticate::{CLIENT_SECRET, client_name},
    balances::AccountDetails,
    whole_batch::WholeBatch,
};
pub use self::{balances::Balances, clients::BulkClients, state::Bulk};
use super::{
    api_error::{ApiError, catch_panics},
    state::ApiState,
};

/// The routes of bulk. They render their errors in the format of document 002.
pub(super) fn routes() -> Router<Arc<ApiState>> {
    Router::new()
        .route("/bulk/schedule", post(schedule::schedule_batch))
        .route("/bulk/status", post(status::report_batch))
        .route("/bulk/retry", post(retry::retry_batch))
        .route("/bulk/cancel", post(cancel::cancel_batch))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(catch_panics())
        .layer(from_fn(error_body::render_errors))
}
