//! Accepts operations. The gateway commits each operation before it answers the caller.

mod batch;
mod caller_keys;
mod new_operation;
mod offer;
mod rows;

use std::time::{Duration, Instant};

use tokio::time::timeout_at;
use tokio_util::task::TaskTracker;

pub(in crate::store) use self::{
    batch::{Group, Tried},
    offer::Offers,
    rows::insert_operations,
};
pub use self::{
    new_operation::{Accepted, CallerKey, NewOperation},
    offer::Offer,
};
use super::{Store, StoreError, batcher::Batcher, locks::TRIES};

/// If lanes of a new operation are locked: how long the gateway waits for them before it gives up. The caller waits for
/// the same time.
const ACCEPT_ALONE_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts the task that accepts single operations in batches (group commits).
pub(super) fn start(
    group: &Group,
    tasks: &TaskTracker,
) -> Batcher<NewOperation, Result<Tried, StoreError>> {
    let group = group.clone();
    Batcher::start(tasks, "accept", move |batch| {
        let group = group.clone();
        async move { batch::accept(&group, batch, TRIES).await }
    })
}

impl Store {
    /// Finds the operation that was accepted under a caller's key. [`accept`](Self::accept) does the same search
    /// itself. Call this method for a request that cannot be accepted now but may have been accepted earlier.
    pub async fn accepted_under_key(
        &self,
        caller: &str,
        key: &CallerKey,
    ) -> Result<Option<Accepted>, StoreError> {
        caller_keys::read(&self.pool, caller, key).await
    }

    /// Lets a worker of this process claim operations when they are accepted: the SQL statement that inserts an
    /// operation also claims it. `make_offer` is called for each operation before the statement.
    pub fn claim_on_accept(
        &self,
        make_offer: impl Fn(&NewOperation) -> Option<Offer> + Send + Sync + 'static,
    ) {
        self.accept_group.offers.set(make_offer);
    }

    /// Adds an operation at the tails of its lanes and commits it. Returns `Ok` only after the commit.
    pub async fn accept(&self, operation: NewOperation) -> Result<Accepted, StoreError> {
        let operation_type = operation.operation_type.as_str();
        let started = Instant::now();
        let tried = self.accepting.submit(operation).await;
        let accepted = match tried.unwrap_or(Err(StoreError::Closed))? {
            Tried::Done(accepted) => accepted,
            // This future is large and seldom needed, so it is boxed.
            Tried::LeftOut(operation) => Box::pin(self.accept_alone(&operation)).await?,
        };
        metrics::histogram!("gateway_accept_seconds").record(started.elapsed());
        if accepted == Accepted::New {
            metrics::counter!("gateway_operations_accepted_total", "type" => operation_type)
                .increment(1);
        }
        Ok(accepted)
    }

    /// Accepts an operation that was left out of its batch, as soon as its lanes are free. Returns an error if the
    /// lanes are still locked after 5 s. In this case nothing was written, because Postgres rolls back a transaction
    /// whose wait for a lock has timed out.
    async fn accept_alone(&self, operation: &NewOperation) -> Result<Accepted, StoreError> {
        let give_up = Instant::now() + ACCEPT_ALONE_TIMEOUT;
        let alone = std::slice::from_ref(operation);
        loop {
            let permit = timeout_at(give_up.into(), self.accepting_alone.acquire()).await;
            let Ok(_permit) = permit else {
                return Err(StoreError::Locked);
            };
            match batch::accept_all(&self.accept_group, alone).await {
                Ok(mut results) => return results.pop().unwrap_or(Err(StoreError::Closed)),
                Err(error) if error.is_lock_timeout() && Instant::now() < give_up => {}
                Err(error) => return Err(error),
            }
        }
    }
}
