//! The transaction that accepts a batch of single operations (a group commit). It writes first the lanes, then the
//! operations.

use super::{
    Accepted, NewOperation,
    caller_keys::{insert_caller_keys, read_caller_keys},
    lane_entries::enter_lanes,
    rows::insert_operations,
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
    const ACTION: &str = "accept operations";
    let mut transaction = connect::begin_batch(pool).or_fail_to(ACTION).await?;
    let taken = insert_caller_keys(&mut transaction, batch)
        .or_fail_to(ACTION)
        .await?;
    let new: Vec<&NewOperation> = batch
        .iter()
        .filter(|operation| !taken.contains(&operation.id))
        .collect();
    let entered = enter_lanes(&mut transaction, &new)
        .or_fail_to(ACTION)
        .await?;
    let transaction_id = insert_operations(&mut transaction, &new, &entered)
        .or_fail_to(ACTION)
        .await?;
    let mut replays = read_caller_keys(&mut transaction, batch, &taken).await?;
    pass(Point::InGroupCommit, batch);
    if let Err(error) = transaction.commit().or_fail_to(ACTION).await
        && !is_accepted(pool, &transaction_id, &new).await?
    {
        return Err(error);
    }
    pass(Point::AfterGroupCommit, batch);
    if entered.iter().any(|entry| entry.blocked_by == 0) {
        notifier.notify_work();
    }
    if entered.iter().any(|entry| entry.fails_dependents) {
        notifier.notify_dependency_failure();
    }
    Ok(batch
        .iter()
        .map(|new| replays.remove(&new.id).unwrap_or(Ok(Accepted::New)))
        .collect())
}

fn pass(point: Point, batch: &[NewOperation]) {
    for new in batch {
        points::reach(point, new.operation_type);
    }
}

/// Whether the transaction that accepted these operations was committed. Call this function if Postgres did not answer
/// the commit. It asks Postgres for the status of the commit, and then looks for the first operation. One operation is
/// enough, because either all of the rows exist or none of them.
pub(in crate::store) async fn is_accepted(
    pool: &Pool,
    transaction_id: &str,
    new: &[&NewOperation],
) -> Result<bool, StoreError> {
    if !connect::has_committed(pool, transaction_id).await? {
        return Ok(false);
    }
    let Some(first) = new.first() else {
        return Ok(true);
    };
    connect::retry_on_broken_connection(pool, || {
        sqlx::query_scalar!(
            "SELECT EXISTS (SELECT FROM operation WHERE id = $1) AS \"is_there!\"",
            first.id.0
        )
        .fetch_one(pool)
    })
    .or_fail_to("look for accepted operations")
    .await
}
