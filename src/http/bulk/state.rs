//! The state that the bulk endpoints share.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    balances::Balances,
    clients::{BulkClient, BulkClients},
};

/// How many uploads of one client are read at the same time. Each upload needs a thread, and memory for its rows.
const UPLOADS: usize = 4;

/// The state that the bulk endpoints share.
#[derive(Clone, Debug)]
pub struct Bulk {
    /// The clients that may use bulk.
    pub(super) clients: BulkClients,
    /// The largest number of rows in one batch.
    pub(super) max_rows: usize,
    /// Reads the balances of accounts from Fineract. If it is `None`, no balances are reported.
    pub(in crate::http) balances: Option<Balances>,
    /// The permits of each client, by the client's name. Each client has its own permits, so that a slow client delays
    /// only its own uploads.
    uploads: Arc<HashMap<Arc<str>, Semaphore>>,
}

impl Bulk {
    /// Creates the state for these clients. If there are none, bulk is off.
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

    /// The state if bulk is off: no client may use bulk.
    pub fn off() -> Self {
        Self::new(BulkClients::new(&[]), 0, None)
    }

    /// Waits until one more upload of this client may be read.
    pub(super) async fn upload_permit(&self, client: &BulkClient) -> Option<SemaphorePermit<'_>> {
        self.uploads.get(&client.0)?.acquire().await.ok()
    }

    /// Whether bulk is on, that is, whether at least one client may use it.
    pub(in crate::http) fn is_on(&self) -> bool {
        !self.clients.is_empty()
    }
}
