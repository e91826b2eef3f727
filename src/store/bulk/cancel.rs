//! Cancelling a batch: ending its rows for which nothing was sent.

use sqlx::PgConnection;
use uuid::Uuid;

use super::Batch;
use crate::store::{
    FailsDependents, Pool, Store, StoreError,
    cancel::{Reason, Unsent, end_unsent, find_locked, without},
    connect,
    lane_release::ReleaseEffects,
    lanes,
    locks::Locked,
    patience::WithTimeout,
};

const ACTION: &str = "cancel a batch";
/// Rows that are ended in one transaction.
const CHUNK: i64 = 500;

impl Store {
    /// Ends the rows for which nothing was sent, and returns how many. The other rows continue.
    ///
    /// It goes from the last row to the first, so that no row is admitted only because the row before it was cancelled.
    /// If another session has locked a row, the others are ended and this returns an error, so that the client does not
    /// take the locked row for cancelled.
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

/// Ends one chunk. Returns how many rows were tried, and which ended with what effects.
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
            // The rollback must come first: the search for locked rows would find the locks of this transaction.
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

/// The last rows below a number that have not ended, the last one first, together with the number of the first of them;
/// `None` if there are none.
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
