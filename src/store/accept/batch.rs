//! Accepts a batch of single operations (a group commit) in one statement, which is a transaction of its own.

use std::{collections::HashMap, time::Instant};

use uuid::Uuid;

use super::{
    Accepted, NewOperation,
    caller_keys::{CallerKeys, read_replayed},
    offer::{OfferColumns, Offers},
    rows::{AcceptEffects, Inserted, find_inserted, insert},
};
use crate::{
    domain::Lane,
    points::{self, Point},
    store::{
        CompletionNotifier, Pool, StoreError,
        locks::{self, Locked},
        patience::WithTimeout,
    },
};

/// How long the statement waits for a lock. The batches behind it wait as well.
const LOCK_TIMEOUT: &str = "250ms";

/// What accepting a batch needs. Cheap to clone.
#[derive(Clone)]
pub(in crate::store) struct Group {
    pub(in crate::store) pool: Pool,
    pub(in crate::store) notifier: CompletionNotifier,
    pub(in crate::store) offers: Offers,
}

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
    group: &Group,
    batch: Vec<NewOperation>,
    tries: usize,
) -> Vec<Result<Tried, StoreError>> {
    match accept_all(group, &batch).await {
        Ok(results) => results
            .into_iter()
            .map(|accepted| accepted.map(Tried::Done))
            .collect(),
        Err(error) if error.is_lock_timeout() => {
            tracing::warn!(
                operations = batch.len(),
                "a batch could not be accepted as a whole, because lanes are locked; trying without the operations of these lanes"
            );
            without_locked(group, batch, tries).await
        }
        Err(error) if error.is_data_error() && batch.len() > 1 => {
            let mut first = batch;
            let second = first.split_off(first.len() / 2);
            let mut results = Box::pin(accept(group, first, tries)).await;
            results.extend(Box::pin(accept(group, second, tries)).await);
            results
        }
        Err(error) => error.of_each(batch.len()),
    }
}

async fn without_locked(
    group: &Group,
    batch: Vec<NewOperation>,
    tries: usize,
) -> Vec<Result<Tried, StoreError>> {
    let locked = if batch.len() > 1 {
        let lanes: Vec<String> = batch.iter().flat_map(lanes).map(str::to_owned).collect();
        match locks::find(&group.pool, &lanes, &[]).await {
            Ok(locked) => locked,
            Err(error) => return error.of_each(batch.len()),
        }
    } else {
        Locked::default()
    };
    let all = locked.is_empty();
    if all && batch.len() > 1 && tries > 1 {
        // No lane is locked any more: the lock was released in the meantime.
        return Box::pin(accept(group, batch, tries - 1)).await;
    }
    // If `locks::find` has found no locked lane, the lock is on rows that it does not check. Then each operation is
    // tried alone.
    locks::leave_out(
        batch,
        |new| all || locked.concerns(new.id.0, lanes(new)),
        |free| Box::pin(accept(group, free, tries)),
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
    group: &Group,
    batch: &[NewOperation],
) -> Result<Vec<Result<Accepted, StoreError>>, StoreError> {
    let Group {
        pool,
        notifier,
        offers,
    } = group;
    let new: Vec<&NewOperation> = batch.iter().collect();
    let keys = CallerKeys::of(batch);
    let offers = offers.of(batch);
    let columns = OfferColumns::of(&offers);
    let types = batch.iter().map(|new| new.operation_type).collect();
    let started_at = Instant::now();
    let inserting =
        insert(pool, &new, &keys, &columns, Some(LOCK_TIMEOUT)).or_fail_to("accept operations");
    let inserted = match points::in_flight(Point::InGroupCommit, types, inserting).await {
        Ok(inserted) => inserted,
        Err(error) if error.is_certain() => return Err(error),
        Err(error) => match find_inserted(pool, batch, &columns).await {
            Ok(inserted) if !inserted.is_empty() => inserted,
            Ok(_) | Err(_) => return Err(error),
        },
    };
    for new in batch {
        points::reach(Point::AfterGroupCommit, new.operation_type);
    }
    AcceptEffects::of(&inserted).notify(notifier);
    let inserted: HashMap<Uuid, Inserted> = inserted.into_iter().map(|row| (row.id, row)).collect();
    let mut results = Vec::with_capacity(batch.len());
    for (new, offer) in batch.iter().zip(offers) {
        let Some(row) = inserted.get(&new.id.0) else {
            results.push(read_replayed(pool, new).await);
            continue;
        };
        if let Some(offer) = offer.filter(|_| row.is_claimed) {
            (offer.run)(row.claimed(new, offer.epoch, started_at), offer.attempt);
        }
        results.push(Ok(Accepted::New));
    }
    Ok(results)
}
