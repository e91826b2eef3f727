//! Having what attempts concluded written: in batches, and what cannot be written with the others by itself, for as
//! long as it takes. What Fineract said is known nowhere else.
//!
//! A row is left out of its batch when somebody else has its lane, its operation or its attempt locked, or when
//! Postgres refuses it. Leaving it out is no more than being late: the settlement is fenced by its attempt, nobody behind it in
//! its lanes is granted before its places go, and its lease is renewed meanwhile, unless the operation's row itself is what is
//! locked. Then no claim gets past that lock either. Once it is gone, this settlement or a claim comes first. After
//! the claim, this one finds itself fenced out, and its answer is evidence that the new owner reads, or else
//! Fineract's stored answer under the same key is.

use std::time::Duration;

use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::{
    Asking, Completion, CompletionNotifier, Pool, RETRY_PAUSE, Store, StoreError,
    batcher::Batcher,
    complete::{complete_all, keep_replies_and_lock},
    locks::{self, Locked, TRIES},
};
use crate::telemetry::chain;

/// The longest pause between two tries of one that is alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What became of a row of a batch.
pub(super) enum Tried {
    /// It is written; whether its attempt still held its operation.
    Written(bool),
    /// It was left out, and is given back.
    LeftOut(Box<Completion>),
}

/// Starts the task that settles.
pub(super) fn start(
    pool: &Pool,
    notifier: &CompletionNotifier,
    tasks: &TaskTracker,
) -> Batcher<Completion, Tried> {
    let (pool, notifier) = (pool.clone(), notifier.clone());
    Batcher::start(tasks, "complete", move |batch| {
        let (pool, notifier) = (pool.clone(), notifier.clone());
        async move { complete(&pool, &notifier, batch, TRIES).await }
    })
}

/// Settles a batch, without those that are in the others' way. While the database is away it is tried again and again.
async fn complete(
    pool: &Pool,
    notifier: &CompletionNotifier,
    batch: Vec<Completion>,
    tries: usize,
) -> Vec<Tried> {
    let error = loop {
        match complete_all(pool, notifier, &batch).await {
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
                "what Fineract said could not be written yet; trying again"
            ),
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    };
    let locked = if error.is_lock_timeout() && batch.len() > 1 {
        find_locked(pool, &batch).await
    } else {
        Locked::default()
    };
    tracing::warn!(
        error = %chain(&error),
        operations = batch.len(),
        locked = locked.lanes.len() + locked.operations.len(),
        "a batch of completions could not be written as a whole; each is tried by itself"
    );
    let all = locked.is_empty();
    if all && error.is_lock_timeout() && batch.len() > 1 && tries > 1 {
        // Whoever was in the way has just gone.
        return Box::pin(complete(pool, notifier, batch, tries - 1)).await;
    }
    // Else it is a row that is refused, or something that is not looked for: each goes by itself.
    locks::leave_out(
        batch,
        |row| {
            all || locked.concerns(
                row.id.0,
                row.lane_entries.lanes().iter().map(String::as_str),
            )
        },
        |free| Box::pin(complete(pool, notifier, free, tries)),
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
            tracing::warn!(error = %chain(&error), "nothing is known of who is locked");
            Locked::default()
        })
}

impl Store {
    /// Writes what an attempt concluded, trying until it is written. `false`: the attempt had lost its
    /// claim, so only what came back was kept.
    pub async fn complete(&self, completion: Completion) -> Result<bool, StoreError> {
        let unwritten = self.unwritten.add(&completion);
        let tried = self.completing.submit(completion).await;
        let left_out = match tried.ok_or(StoreError::Closed)? {
            Tried::Written(leased) => return Ok(leased),
            Tried::LeftOut(completion) => *completion,
        };
        unwritten.is_left_alone();
        let mut pause = RETRY_PAUSE;
        let mut reply_is_kept = left_out.reply.is_none();
        loop {
            match self.complete_alone(&left_out, &mut reply_is_kept).await {
                Ok(leased) => return Ok(leased),
                Err(error) => tracing::error!(
                    error = %chain(&error),
                    operation.id = %left_out.id,
                    operation.attempt = left_out.attempt,
                    waited_ms = u64::try_from(unwritten.age().as_millis()).unwrap_or(u64::MAX),
                    "what an operation has come to cannot be written yet; trying again"
                ),
            }
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// Tries once. What came back is kept first, for whoever goes on with the operation if this process ends.
    async fn complete_alone(
        &self,
        completion: &Completion,
        reply_is_kept: &mut bool,
    ) -> Result<bool, StoreError> {
        let _permit = self.completing_alone.acquire().await;
        let alone = std::slice::from_ref(completion);
        if !*reply_is_kept {
            *reply_is_kept = keep_reply(&self.pool, alone).await.is_ok();
        }
        let leased = complete_all(&self.pool, &self.notifier, alone).await?;
        Ok(leased.contains(&completion.fence()))
    }
}

async fn keep_reply(pool: &Pool, alone: &[Completion]) -> Result<(), StoreError> {
    let keeping = async {
        let mut connection = pool.lend().await?;
        keep_replies_and_lock(&mut connection, alone, &[]).await
    };
    keeping.or_fail_to("keep what Fineract said").await
}
