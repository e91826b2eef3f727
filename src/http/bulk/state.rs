//! The state that the bulk endpoints share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{balances::Balances, clients::BulkClients};
use crate::domain::Owner;

/// How many uploads of one owner are read at the same time. Each upload needs a thread, and memory for its rows.
const UPLOADS: usize = 4;

/// The state that the bulk endpoints share.
#[derive(Clone, Debug)]
pub struct Bulk {
    /// The clients of the settings.
    pub(super) clients: BulkClients,
    /// The largest number of rows in one batch.
    pub(super) max_rows: usize,
    /// Reads the balances of accounts from Fineract. If it is `None`, no balances are reported.
    pub(in crate::http) balances: Option<Balances>,
    /// The permits of each owner that has sent an upload. Each owner has its own permits, so that a slow one delays only
    /// its own uploads.
    uploads: Arc<Mutex<HashMap<Owner, Arc<Semaphore>>>>,
}

impl Bulk {
    /// Creates the state with these clients of the settings.
    pub fn new(clients: BulkClients, max_rows: usize, balances: Option<Balances>) -> Self {
        Self {
            clients,
            max_rows,
            balances,
            uploads: Arc::default(),
        }
    }

    /// The state in a process that serves no callers.
    pub fn off() -> Self {
        Self::new(BulkClients::new(&[]), 0, None)
    }

    /// Waits until one more upload of this owner may be read.
    pub(super) async fn upload_permit(&self, owner: &Owner) -> Option<OwnedSemaphorePermit> {
        let permits = {
            let mut uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
            let permits = uploads.entry(owner.clone());
            Arc::clone(permits.or_insert_with(|| Arc::new(Semaphore::new(UPLOADS))))
        };
        permits.acquire_owned().await.ok()
    }

    /// The clients of the settings.
    pub(in crate::http) fn clients(&self) -> &BulkClients {
        &self.clients
    }
}
