//! Cancels a batch: ends the rows for which nothing was sent.

use sqlx::PgConnection;
use uuid::Uuid;

use super::Batch;
use crate::store::{
    FailsDependents, Pool, Store, StoreError,
    cancel::{Reason, Unsent, end_unsent, find_locked, without},
    connect,
    end::ReleaseEffects,
    lanes,
    locks::Locked,
    patience::WithTimeout,
};

const ACTION: &str = "cancel a batch";
/// The largest number of rows that one transaction ends.
const CHUNK: i64 = 500;

impl Store {
    /// Ends the rows for which nothing was sent, and returns how many. The other rows continue.
    ///
    /// The rows are ended from the last row to the first. Otherwise, the cancel of a row could admit the row behind it,
    /// and a worker could then send that row before it is cancelled. If another session has locked a row, this method
    /// ends the other rows and returns an error. The client then knows that not every row was cancelled.
    pub async fn cancel_batch(&self, batch: &Batch) -> Result<usize, StoreError> {
        let mut count = 0;
        let mut below = i32::MAX;
        let mut locked = Locked::default();
        let mut some_are_left = false;
        while let Some((first, candidates)) = read_unended(&self.pool, batch.id, below).await? {
            let read = candidates.len();
            match cancel_chunk(self, without(candidates, &locked)).await {
                Ok((tried, cancelled, effects)) => {
                    self.notify_unsent(&cancelled, effects);
                    count += cancelled.len();
                    some_are_left |= tried < read;
                    below = first;
                    locked = Locked::default();
                }
                Err(error) if error.is_lock_timeout() && locked.is_empty() => {
                    let (_, again) = read_unended(&self.pool, batch.id, below)
                        .await?
                        .unwrap_or_default();
                    locked = find_locked(&self.pool, &again).await?;
                    if locked.is_empty() {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        if some_are_left {
            return Err(StoreError::Locked);
        }
        Ok(count)
    }
}

/// Ends one chunk. Returns how many rows were tried, the operations that ended, and the effects of their lane release.
async fn cancel_chunk(
    store: &Store,
    candidates: Vec<Unsent>,
) -> Result<(usize, Vec<Unsent>, ReleaseEffects), StoreError> {
    let tried = candidates.len();
    let mut transaction = connect::begin(&store.pool).or_fail_to(ACTION).await?;
    match end_chunk(&mut transaction, candidates, store.fails_dependents).await {
        Ok((cancelled, effects)) => {
            transaction.commit().or_fail_to(ACTION).await?;
            Ok((tried, cancelled, effects))
        }
        Err(error) => {
            // The rollback must come before the search for locked rows. Otherwise the search would find the locks of
            // this transaction.
            transaction.rollback().or_fail_to(ACTION).await?;
            Err(error)
        }
    }
}

async fn end_chunk(
    connection: &mut PgConnection,
    candidates: Vec<Unsent>,
    fails_dependents: FailsDependents,
) -> Result<(Vec<Unsent>, ReleaseEffects), StoreError> {
    let lanes = candidates
        .iter()
        .flat_map(|unsent| unsent.lane_entries.lanes());
    lanes::lock(connection, &lanes.collect::<Vec<_>>())
        .or_fail_to(ACTION)
        .await?;
    end_unsent(
        connection,
        candidates,
        Reason::BatchCancelled,
        fails_dependents,
    )
    .or_fail_to(ACTION)
    .await
}

/// Reads one chunk of the rows that have not ended and whose numbers are less than `below`. The row with the highest
/// number is the first. Also returns the lowest number in the chunk. Returns `None` if there are no such rows.
async fn read_unended(
    pool: &Pool,
    batch: Uuid,
    below: i32,
) -> Result<Option<(i32, Vec<Unsent>)>, StoreError> {
    let rows = sqlx::query!(
        "SELECT r.number, o.id, o.type, o.lane, o.position, o.read_lane, o.read_position
           FROM batch_row r
           JOIN operation o ON o.id = r.operation_id
          WHERE r.batch_id = $1 AND r.number < $2 AND o.ended_at IS NULL
          ORDER BY r.number DESC
          LIMIT $3",
        batch,
        below,
        CHUNK
    )
    .fetch_all(pool)
    .or_fail_to(ACTION)
    .await?;
    let Some(first) = rows.last().map(|row| row.number) else {
        return Ok(None);
    };
    let unended = rows.into_iter().map(|row| {
        let read = row.read_lane.zip(row.read_position);
        Unsent::of(row.id, &row.r#type, (row.lane, row.position), read)
    });
    Ok(Some((first, unended.collect())))
}
