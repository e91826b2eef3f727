//! Bulk (document 002): many operations in one upload, and where each of their rows stands.
//!
//! A row is checked and accepted like a single operation; this folder only reads uploads, and answers in
//! the document's envelope.

mod balances;
mod cancel;
mod clients;
mod csv_payload;
mod csv_rows;
mod envelope;
mod error;
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
mod status;
mod upload;

use std::{collections::HashMap, sync::Arc};

use axum::{Router, routing::post};
use tokio::sync::{Semaphore, SemaphorePermit};

use self::clients::BulkClient;
pub use self::{balances::Balances, clients::BulkClients};
pub(super) use self::{
    clients::CLIENT_SECRET, envelope::error_body, error::BulkError,
    upload::BODY_LIMIT as UPLOAD_LIMIT,
};
use super::ApiState;

/// Uploads of one client that are read at once: each holds a thread, and its rows in memory.
const UPLOADS: usize = 4;

/// What the bulk endpoints work with, beside what all do.
#[derive(Clone, Debug)]
pub struct Bulk {
    clients: BulkClients,
    /// The most rows in one batch.
    max_rows: usize,
    /// What Fineract says of accounts; without it, nothing is said of them.
    balances: Option<Balances>,
    /// Each client's own, so that a slow one waits only for itself.
    uploads: Arc<HashMap<Arc<str>, Semaphore>>,
}

impl Bulk {
    /// Bulk for these clients; without any it is off.
    pub fn new(clients: BulkClients, max_rows: usize, balances: Option<Balances>) -> Self {
        let uploads = clients
            .names()
            .map(|name| (name, Semaphore::new(UPLOADS)))
            .collect();
        Self {
            clients,
            max_rows,
            balances,
            uploads: Arc::new(uploads),
        }
    }

    /// No bulk.
    pub fn off() -> Self {
        Self::new(BulkClients::new(&[]), 0, None)
    }

    /// Waits until one more upload of this client's may be read.
    async fn upload_permit(&self, client: &BulkClient) -> Option<SemaphorePermit<'_>> {
        self.uploads.get(&client.0)?.acquire().await.ok()
    }

    /// Whether anybody may use it.
    pub(super) fn is_on(&self) -> bool {
        !self.clients.is_empty()
    }
}

/// The routes of bulk.
pub(super) fn routes() -> Router<Arc<ApiState>> {
    Router::new()
        .route("/bulk/schedule", post(schedule::schedule_batch))
        .route("/bulk/status", post(status::report_batch))
        .route("/bulk/retry", post(retry::retry_batch))
        .route("/bulk/cancel", post(cancel::cancel_batch))
}

/// Whether a route is one of bulk's, and tells its errors so.
pub(super) fn is_route(matched_path: &str) -> bool {
    matched_path.contains("/bulk/")
}
