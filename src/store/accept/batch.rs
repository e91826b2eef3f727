//! Accepts a batch of single operations (a group commit) in one statement, which is a transaction of its own.

use std::collections::HashSet;

use uuid::Uuid;

use super::{
    Accepted, NewOperation,
    caller_keys::{CallerKeys, read_replayed},
    rows::{AcceptEffects, insert},
};
use crate::{
    domain::Lane,
    points::{self, Point},
    store::{
        CompletionNotifier, Pool, StoreError, connect,
        locks::{self, Locked},
        patience::WithTimeout,
    },
};

/// How long the statement waits for a lock. The batches behind it wait as well.
const LOCK_TIMEOUT: &str = "250ms";

/// The result of trying to accept an operation as part of a batch.
pub(in crate::store) enum Tried {
    /// The gateway processed the request. The variant contains the result.
    Done(Accepted),
    /// The operation was left out of the batch, because another session has locked its lanes or other rows that it
    /// needs. The variant returns the operation.
    LeftOut(Box<NewOperation>),
}

/// Accepts a batch and returns the result of each operation, in the order of the batch. If the database refuses the
/// data of one operation, only this operation fails. An operation whose lanes are locked is left out.
pub(in crate::store) async fn accept(
    pool: &Pool,
    notifier: &CompletionNotifier,
    batch: Vec<NewOperation>,
    tries: usize,
) -> Vec<Result<Tried, StoreError>> {
    match accept_all(pool, notifier, &batch).await {
        Ok(results) => results
            .into_iter()
            .map(|accepted| accepted.map(Tried::Done))
            .collect(),
        Err(error) if error.is_lock_timeout() => {
            tracing::warn!(
                operations = batch.len(),
                "a batch could not be accepted as a whole, because lanes are locked; trying without the operations of these lanes"
            );
            without_locked(pool, notifier, batch, tries).await
        }
        Err(error) if error.is_data_error() && batch.len() > 1 => {
            let mut first = batch;
            let second = first.split_off(first.len() / 2);
            let mut results = Box::pin(accept(pool, notifier, first, tries)).await;
            results.extend(Box::pin(accept(pool, notifier, second, tries)).await);
            results
        }
        Err(error) => error.of_each(batch.len()),
    }
}

async fn without_locked(
    pool: &Pool,
    notifier: &CompletionNotifier,
    batch: Vec<NewOperation>,
    tries: usize,
) -> Vec<Result<Tried, StoreError>> {
    let locked = if batch.len() > 1 {
        let lanes: Vec<String> = batch.iter().flat_map(lanes).map(str::to_owned).collect();
        match locks::find(pool, &lanes, &[]).await {
            Ok(locked) => locked,
            Err(error) => return error.of_each(batch.len()),
        }
    } else {
        Locked::default()
    };
    let all = locked.is_empty();
    if all && batch.len() > 1 && tries > 1 {
        // No lane is locked any more: the lock was released in the meantime.
        return Box::pin(accept(pool, notifier, batch, tries - 1)).await;
    }
    // If `locks::find` has found no locked lane, the lock is on rows that it does not check. Then each operation is
    // tried alone.
    locks::leave_out(
        batch,
        |new| all || locked.concerns(new.id.0, lanes(new)),
        |free| Box::pin(accept(pool, notifier, free, tries)),
        |new| Ok(Tried::LeftOut(Box::new(new))),
    )
    .await
}

fn lanes(new: &NewOperation) -> impl Iterator<Item = &str> {
    let lanes = &new.checked.lanes;
    std::iter::once(&lanes.writes)
        .chain(&lanes.reads)
        .map(Lane::as_str)
}

/// Accepts all operations of a batch or, if this fails, none.
pub(in crate::store) async fn accept_all(
    pool: &Pool,
    notifier: &CompletionNotifier,
    batch: &[NewOperation],
) -> Result<Vec<Result<Accepted, StoreError>>, StoreError> {
    let new: Vec<&NewOperation> = batch.iter().collect();
    let keys = CallerKeys::of(batch);
    let types = batch.iter().map(|new| new.operation_type);
    let inserting = insert(pool, &new, &keys, Some(LOCK_TIMEOUT)).or_fail_to("accept operations");
    let (inserted, effects) = match points::in_flight(Point::InGroupCommit, types, inserting).await
    {
        Ok(rows) => {
            let effects = AcceptEffects::of(&rows);
            (rows.into_iter().map(|row| row.id).collect(), effects)
        }
        Err(error) if error.is_certain() => return Err(error),
        Err(error) => match find_accepted(pool, batch).await? {
            accepted if accepted.is_empty() => return Err(error),
            accepted => (accepted, AcceptEffects::UNKNOWN),
        },
    };
    for new in batch {
        points::reach(Point::AfterGroupCommit, new.operation_type);
    }
    effects.notify(notifier);
    let mut results = Vec::with_capacity(batch.len());
    for new in batch {
        results.push(if inserted.contains(&new.id.0) {
            Ok(Accepted::New)
        } else {
            read_replayed(pool, new).await
        });
    }
    Ok(results)
}

/// Finds out which operations were accepted by a statement that was not answered. It is never sent again: the first one
/// may be on its way to Postgres still. If none is found, the caller receives an error that leaves this open.
async fn find_accepted(pool: &Pool, batch: &[NewOperation]) -> Result<HashSet<Uuid>, StoreError> {
    const ACTION: &str = "look for accepted operations";
    let ids: Vec<Uuid> = batch.iter().map(|new| new.id.0).collect();
    let mut transaction = connect::begin_with_long_lock_wait(pool)
        .or_fail_to(ACTION)
        .await?;
    // An insert of the same id waits for the end of the transaction that has inserted it. It is rolled back.
    let absent = sqlx::query_scalar!(
        "INSERT INTO operation (id, type, state, lane, position, blocked_by)
         SELECT id, '', 'waiting', '', 0, 1 FROM unnest($1::uuid[]) AS n (id)
             ON CONFLICT (id) DO NOTHING
      RETURNING id",
        &ids
    )
    .fetch_all(&mut *transaction)
    .or_fail_to(ACTION)
    .await?;
    transaction.rollback().or_fail_to(ACTION).await?;
    Ok(ids.into_iter().filter(|id| !absent.contains(id)).collect())
}
