//! The state that the bulk endpoints share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

use super::{balances::Balances, clients::BulkClients};
use crate::{domain::Owner, http::api_error::ApiError};

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
    /// The places of each owner that has sent an upload. Each owner has its own, so that a slow one delays only its own
    /// uploads.
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
    pub(super) async fn place(&self, owner: &Owner) -> Place {
        let places = {
            let mut uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
            let places = uploads.entry(owner.clone());
            Arc::clone(places.or_insert_with(|| Arc::new(Semaphore::new(UPLOADS))))
        };
        // The semaphore is never closed.
        Place(places.acquire_owned().await.ok().map(Arc::new))
    }

    /// The clients of the settings.
    pub(in crate::http) fn clients(&self) -> &BulkClients {
        &self.clients
    }
}

/// The place of one upload among those of its owner.
#[derive(Debug)]
pub(super) struct Place(Option<Arc<OwnedSemaphorePermit>>);

impl Place {
    /// Does what keeps a processor busy, in a thread of its own. The thread goes on after the request was broken off, so it
    /// keeps the place until its end.
    pub(super) async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let place = self.0.clone();
        let working = spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        working.await.or(Err(ApiError::Panicked))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use futures_util::{FutureExt as _, future::join_all};

    use super::*;

    #[tokio::test]
    async fn work_of_a_request_that_was_broken_off_keeps_its_place() {
        let bulk = Bulk::new(BulkClients::new(&[]), 1, None);
        let owner = Owner::BulkClient("client".into());
        let others = join_all((1..UPLOADS).map(|_| bulk.place(&owner))).await;
        let (finish, finished) = channel::<()>();
        let place = bulk.place(&owner).await;
        // The first poll begins the work.
        let work = place.compute(move || finished.recv()).now_or_never();
        assert!(work.is_none());
        drop(place);
        assert!(bulk.place(&owner).now_or_never().is_none());
        drop(finish);
        let _place = bulk.place(&owner).await;
        drop(others);
    }
}
