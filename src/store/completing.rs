//! Writes completions in batches, and one by one if a batch is refused. The gateway tries until each completion is
//! written, because before that, only the memory of this process may contain Fineract's answer.
//!
//! A completion is left out of its batch if another session has locked its lane, its operation or its attempt, or if
//! Postgres refuses the completion. This only delays the completion, for these reasons:
//!
//! - The attempt number fences the completion.
//! - Operations behind this operation in its lanes are not admitted before the lane entries of this operation are
//!   removed.
//! - The worker renews the lease. If the row of the operation is locked, the worker cannot renew the lease, but then no
//!   other worker can claim the operation either.
//!
//! When the lock is gone, either the completion or a new claim comes first. If the claim comes first, the fence rejects
//! the completion. The new owner then finds the stored answer with the attempt, or receives the answer that Fineract
//! stored under the same key.

use std::time::Duration;

use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::{
    Completion, Pool, Store, StoreError,
    batcher::Batcher,
    complete::Group,
    locks::{self, Locked, TRIES},
    patience::RETRY_PAUSE,
    reply::store_reply,
};
use crate::telemetry::chain;

/// The longest pause between two tries of a completion that was left out.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The result of trying to write a completion as part of a batch.
pub(super) enum Tried {
    /// The completion is written. The flag tells whether the attempt still had the lease.
    Written(bool),
    /// The completion was left out of the batch. The variant returns the completion.
    LeftOut(Box<Completion>),
}

/// Starts the task that writes completions in batches.
pub(super) fn start(group: &Group, tasks: &TaskTracker) -> Batcher<Completion, Tried> {
    let group = group.clone();
    Batcher::start(tasks, "complete", move |batch| {
        let group = group.clone();
        async move { complete(&group, batch, TRIES, false).await }
    })
}

/// Writes a batch, but leaves out the completions that prevent the others from being written. While the database is
/// unavailable, tries again until it succeeds.
async fn complete(
    group: &Group,
    batch: Vec<Completion>,
    tries: usize,
    mut is_repeated: bool,
) -> Vec<Tried> {
    let error = loop {
        match group.complete_all(&batch, is_repeated).await {
            Ok(leased) => {
                let completed = batch
                    .iter()
                    .map(|row| Tried::Written(leased.contains(&row.fence())));
                return completed.collect();
            }
            Err(error) if error.may_be_of_one_row() => break error,
            Err(error) => tracing::error!(
                error = %chain(&error),
                operations = batch.len(),
                "completions could not be written; trying again"
            ),
        }
        is_repeated = true;
        tokio::time::sleep(RETRY_PAUSE).await;
    };
    let locked = if error.is_lock_timeout() && batch.len() > 1 {
        find_locked(&group.pool, &batch).await
    } else {
        Locked::default()
    };
    tracing::warn!(
        error = %chain(&error),
        operations = batch.len(),
        locked = locked.lanes.len() + locked.operations.len(),
        "a batch of completions could not be written as a whole; the locked or refused completions are written one by one"
    );
    let all = locked.is_empty();
    if all && error.is_lock_timeout() && batch.len() > 1 && tries > 1 {
        // No row is locked any more: the lock was released in the meantime.
        return Box::pin(complete(group, batch, tries - 1, is_repeated)).await;
    }
    // If no locked row was found, Postgres refuses a row, or the lock is on rows that `locks::find` does not check.
    // Then each completion is written alone.
    locks::leave_out(
        batch,
        |row| {
            all || locked.concerns(
                row.id.0,
                row.lane_entries.lanes().iter().map(String::as_str),
            )
        },
        |free| Box::pin(complete(group, free, tries, is_repeated)),
        |row| Tried::LeftOut(Box::new(row)),
    )
    .await
}

async fn find_locked(pool: &Pool, batch: &[Completion]) -> Locked {
    let lanes: Vec<String> = batch
        .iter()
        .flat_map(|row| row.lane_entries.lanes())
        .collect();
    let ids: Vec<Uuid> = batch.iter().map(|row| row.id.0).collect();
    locks::find(pool, &lanes, &ids)
        .await
        .unwrap_or_else(|error| {
            tracing::warn!(error = %chain(&error), "locked rows could not be looked up; each completion is written alone");
            Locked::default()
        })
}

impl Store {
    /// Writes the conclusion of an attempt. Tries until the conclusion is written. Returns `false` if the attempt had
    /// lost its lease. In this case only the reply was stored.
    pub async fn complete(&self, completion: Completion) -> Result<bool, StoreError> {
        let unwritten = self.unwritten.add(&completion);
        let tried = self.completing.submit(completion).await;
        let left_out = match tried.ok_or(StoreError::Closed)? {
            Tried::Written(leased) => return Ok(leased),
            Tried::LeftOut(completion) => *completion,
        };
        unwritten.mark_left_out();
        let mut pause = RETRY_PAUSE;
        let mut reply_is_stored = left_out.reply.is_none();
        loop {
            // This future is large and seldom needed, so it is boxed.
            let completing = Box::pin(self.complete_alone(&left_out, &mut reply_is_stored));
            match completing.await {
                Ok(leased) => return Ok(leased),
                Err(error) => tracing::error!(
                    error = %chain(&error),
                    operation.id = %left_out.id,
                    operation.attempt = left_out.attempt,
                    waited_ms = u64::try_from(unwritten.age().as_millis()).unwrap_or(u64::MAX),
                    "a completion could not be written; trying again"
                ),
            }
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// The age of the oldest unwritten answer; zero if every answer is written.
    pub fn oldest_unwritten_answer(&self) -> Duration {
        self.unwritten.oldest_age()
    }

    /// Sets the gauges of unwritten answers.
    pub fn report_unwritten_answers(&self) {
        self.unwritten.report();
    }

    /// How many completions were left out of their batches and are not written yet. A worker may run this many other
    /// operations in addition, because these completions only wait. The result has an upper limit, because a lock on a
    /// whole table leaves out all completions.
    pub fn completions_left_out(&self) -> usize {
        self.unwritten.left_out()
    }

    /// Tries once to write a completion alone. First stores the reply, so that the next owner of the operation has the
    /// reply if this process ends.
    async fn complete_alone(
        &self,
        completion: &Completion,
        reply_is_stored: &mut bool,
    ) -> Result<bool, StoreError> {
        let _permit = self.completing_alone.acquire().await;
        let alone = std::slice::from_ref(completion);
        if !*reply_is_stored {
            *reply_is_stored = store_reply(&self.pool, completion).await.is_ok();
        }
        let leased = self.complete_group.complete_all(alone, true).await?;
        Ok(leased.contains(&completion.fence()))
    }
}
