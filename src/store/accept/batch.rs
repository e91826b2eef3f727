//! The transaction that accepts a batch: lanes first, then the operations.

use sqlx::PgPool;

use super::{
    Accepted, NewOperation,
    caller_keys::{insert_caller_keys, read_caller_keys},
    placing::place_in_lanes,
    rows::insert_operations,
};
use crate::{
    points::{self, Point},
    store::{Asking, Ends, StoreError, connect},
};

/// Accepts a batch, and says of each what became of it. A row that the database refuses fails alone.
pub(in crate::store) async fn accept(
    pool: &PgPool,
    ends: &Ends,
    batch: Vec<NewOperation>,
) -> Vec<Result<Accepted, StoreError>> {
    match accept_all(pool, ends, &batch).await {
        Ok(results) => results.into_iter().map(Ok).collect(),
        Err(error) if error.is_data_error() && batch.len() > 1 => {
            let mut first = batch;
            let second = first.split_off(first.len() / 2);
            let mut results = Box::pin(accept(pool, ends, first)).await;
            results.extend(Box::pin(accept(pool, ends, second)).await);
            results
        }
        Err(error) => error.of_each(batch.len()),
    }
}

async fn accept_all(
    pool: &PgPool,
    ends: &Ends,
    batch: &[NewOperation],
) -> Result<Vec<Accepted>, StoreError> {
    const ACTION: &str = "accept operations";
    let mut transaction = connect::begin(pool).or_fail_to(ACTION).await?;
    let taken = insert_caller_keys(&mut transaction, batch)
        .or_fail_to(ACTION)
        .await?;
    let new: Vec<&NewOperation> = batch
        .iter()
        .filter(|operation| !taken.contains(&operation.id))
        .collect();
    let placed = place_in_lanes(&mut transaction, &new)
        .or_fail_to(ACTION)
        .await?;
    let transaction_id = insert_operations(&mut transaction, &new, &placed)
        .or_fail_to(ACTION)
        .await?;
    let replays = read_caller_keys(&mut transaction, batch, &taken).await?;
    pass(Point::InGroupCommit, batch);
    if let Err(error) = transaction.commit().or_fail_to(ACTION).await
        && !is_accepted(pool, &transaction_id, &new).await?
    {
        return Err(error);
    }
    pass(Point::AfterGroupCommit, batch);
    if placed.iter().any(|place| place.ungranted == 0) {
        ends.announce_work();
    }
    if placed.iter().any(|place| place.falls) {
        ends.announce_fall();
    }
    Ok(batch
        .iter()
        .map(|operation| replays.get(&operation.id).copied().unwrap_or(Accepted::New))
        .collect())
}

fn pass(point: Point, batch: &[NewOperation]) {
    for new in batch {
        points::reach(point, new.operation_type);
    }
}

/// Whether a transaction that accepted these operations, and whose commit was not answered, has taken
/// place: Postgres knows, once it answers again. All of the rows are there, or none is.
pub(in crate::store) async fn is_accepted(
    pool: &PgPool,
    transaction_id: &str,
    new: &[&NewOperation],
) -> Result<bool, StoreError> {
    if !connect::has_committed(pool, transaction_id).await? {
        return Ok(false);
    }
    let Some(first) = new.first() else {
        return Ok(true);
    };
    connect::past_broken(pool, || {
        sqlx::query_scalar!(
            "SELECT EXISTS (SELECT FROM operation WHERE id = $1) AS \"is_there!\"",
            first.id.0
        )
        .fetch_one(pool)
    })
    .or_fail_to("look for accepted operations")
    .await
}
