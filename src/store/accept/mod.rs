//! Accepting an operation: durable before it is answered.

mod batch;
mod caller_keys;
mod lane_entries;
mod rows;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use tokio::time::timeout_at;
use tokio_util::task::TaskTracker;

pub(in crate::store) use self::{
    batch::{Tried, is_accepted},
    lane_entries::{WINDOW_SECONDS, enter_lanes},
    rows::insert_operations,
};
use super::{
    BodyDigest, CompletionNotifier, Pool, Store, StoreError, batcher::Batcher, locks::TRIES,
};
use crate::domain::{Checked, OperationId, OperationType, TrackingId};

/// A checked operation that is to be accepted.
#[derive(Clone, Debug)]
pub struct NewOperation {
    /// Its id, made by the caller of this function.
    pub id: OperationId,
    /// Its type.
    pub operation_type: OperationType,
    /// Its payload, word for word.
    pub payload: Box<RawValue>,
    /// What the check said of it.
    pub checked: Checked,
    /// The name of the token it came with.
    pub caller: String,
    /// The caller's own `Idempotency-Key`.
    pub caller_key: Option<CallerKey>,
    /// The failed operation that it runs again.
    pub retry_of: Option<OperationId>,
    /// Until when it may be sent.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A caller's own `Idempotency-Key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerKey {
    /// The header's value.
    pub key: String,
    /// The request's body.
    pub digest: BodyDigest,
}

/// What became of a request to accept an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is committed.
    New,
    /// The caller's key has brought this operation in before, with the same body.
    Replayed(TrackingId),
    /// The caller's key has been used with another body.
    KeyReused,
}

/// How long an operation whose lanes are locked waits for them: its caller waits too.
const LONGEST_ALONE: Duration = Duration::from_secs(5);

/// Starts the task that accepts.
pub(super) fn start(
    pool: &Pool,
    notifier: &CompletionNotifier,
    tasks: &TaskTracker,
) -> Batcher<NewOperation, Result<Tried, StoreError>> {
    let (pool, notifier) = (pool.clone(), notifier.clone());
    Batcher::start(tasks, "accept", move |batch| {
        let (pool, notifier) = (pool.clone(), notifier.clone());
        async move { batch::accept(&pool, &notifier, batch, TRIES).await }
    })
}

impl Store {
    /// What a caller's key has brought in before, if anything. [`accept`](Self::accept) looks by itself:
    /// this is for a request that cannot be accepted now, and may have been.
    pub async fn brought_in_by(
        &self,
        caller: &str,
        key: &CallerKey,
    ) -> Result<Option<Accepted>, StoreError> {
        caller_keys::read(&self.pool, caller, key).await
    }

    /// Makes an operation durable, at the tail of its lanes. `Ok` is returned after the commit.
    pub async fn accept(&self, operation: NewOperation) -> Result<Accepted, StoreError> {
        let operation_type = operation.operation_type.as_str();
        let started = Instant::now();
        let tried = self.accepting.submit(operation).await;
        let accepted = match tried.unwrap_or(Err(StoreError::Closed))? {
            Tried::Done(accepted) => accepted,
            Tried::LeftOut(operation) => self.accept_alone(&operation).await?,
        };
        metrics::histogram!("gateway_accept_seconds").record(started.elapsed());
        if accepted == Accepted::New {
            metrics::counter!("gateway_operations_accepted_total", "type" => operation_type)
                .increment(1);
        }
        Ok(accepted)
    }

    /// Accepts an operation that was left out of its batch, once its lanes are free. An error after a while: nothing
    /// of it was written, since a transaction that waits for a lock in vain is rolled back before its commit.
    async fn accept_alone(&self, operation: &NewOperation) -> Result<Accepted, StoreError> {
        let give_up = Instant::now() + LONGEST_ALONE;
        let alone = std::slice::from_ref(operation);
        loop {
            let permit = timeout_at(give_up.into(), self.accepting_alone.acquire()).await;
            let Ok(_permit) = permit else {
                return Err(StoreError::Locked);
            };
            match batch::accept_all(&self.pool, &self.notifier, alone).await {
                Ok(mut results) => return results.pop().unwrap_or(Err(StoreError::Closed)),
                Err(error) if error.is_lock_timeout() && Instant::now() < give_up => {}
                Err(error) => return Err(error),
            }
        }
    }
}
