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
    Asking, Ends, Pool, RETRY_PAUSE, Settlement, Store, StoreError,
    batcher::Batcher,
    locks::{self, Locked, TRIES},
    settle::{keep_replies_and_lock, settle_all},
};
use crate::telemetry::chain;

/// The longest pause between two tries of one that is alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What became of a row of a batch.
pub(super) enum Tried {
    /// It is written; whether its attempt still held its operation.
    Settled(bool),
    /// It was left out, and is given back.
    LeftOut(Box<Settlement>),
}

/// Starts the task that settles.
pub(super) fn start(pool: &Pool, ends: &Ends, tasks: &TaskTracker) -> Batcher<Settlement, Tried> {
    let (pool, ends) = (pool.clone(), ends.clone());
    Batcher::start(tasks, "settle", move |batch| {
        let (pool, ends) = (pool.clone(), ends.clone());
        async move { settle(&pool, &ends, batch, TRIES).await }
    })
}

/// Settles a batch, without those that are in the others' way. While the database is away it is tried again and again.
async fn settle(pool: &Pool, ends: &Ends, batch: Vec<Settlement>, tries: usize) -> Vec<Tried> {
    let error = loop {
        match settle_all(pool, ends, &batch).await {
            Ok(held) => {
                let settled = batch
                    .iter()
                    .map(|row| Tried::Settled(held.contains(&row.fence())));
                return settled.collect();
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
        "a batch could not be settled as a whole"
    );
    let all = locked.is_empty();
    if all && error.is_lock_timeout() && batch.len() > 1 && tries > 1 {
        // Whoever was in the way has just gone.
        return Box::pin(settle(pool, ends, batch, tries - 1)).await;
    }
    // Else it is a row that is refused, or something that is not looked for: each goes by itself.
    locks::leave_out(
        batch,
        |row| all || locked.concerns(row.id.0, row.places.lanes().iter().map(String::as_str)),
        |free| Box::pin(settle(pool, ends, free, tries)),
        |row| Tried::LeftOut(Box::new(row)),
    )
    .await
}

async fn find_locked(pool: &Pool, batch: &[Settlement]) -> Locked {
    let lanes: Vec<String> = batch.iter().flat_map(|row| row.places.lanes()).collect();
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
    pub async fn settle(&self, settlement: Settlement) -> Result<bool, StoreError> {
        let unwritten = self.unwritten.add(&settlement);
        let tried = self.settling.submit(settlement).await;
        let left_out = match tried.ok_or(StoreError::Closed)? {
            Tried::Settled(held) => return Ok(held),
            Tried::LeftOut(settlement) => *settlement,
        };
        unwritten.is_left_alone();
        let mut pause = RETRY_PAUSE;
        let mut reply_is_kept = left_out.reply.is_none();
        loop {
            match self.settle_alone(&left_out, &mut reply_is_kept).await {
                Ok(held) => return Ok(held),
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
    async fn settle_alone(
        &self,
        settlement: &Settlement,
        reply_is_kept: &mut bool,
    ) -> Result<bool, StoreError> {
        let _permit = self.settling_alone.acquire().await;
        let alone = std::slice::from_ref(settlement);
        if !*reply_is_kept {
            *reply_is_kept = keep_reply(&self.pool, alone).await.is_ok();
        }
        let held = settle_all(&self.pool, &self.ends, alone).await?;
        Ok(held.contains(&settlement.fence()))
    }
}

async fn keep_reply(pool: &Pool, alone: &[Settlement]) -> Result<(), StoreError> {
    let keeping = async {
        let mut connection = pool.lend().await?;
        keep_replies_and_lock(&mut connection, alone, &[]).await
    };
    keeping.or_fail_to("keep what Fineract said").await
}
