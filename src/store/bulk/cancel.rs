//! Ending those rows of a batch that nothing was sent for.

use sqlx::PgConnection;
use uuid::Uuid;

use super::Batch;
use crate::{
    domain::{OperationId, OperationType},
    store::{
        Fells, Places, Store, StoreError, failed_to,
        lanes::{self, Departed, Departures},
        results::Results,
    },
};

const ACTION: &str = "cancel a batch";
/// Rows ended in one transaction.
const CHUNK: i64 = 500;
/// Why a cancelled operation failed.
const CODE: &str = "cancelled";
/// The same for its caller.
const MESSAGE: &str = "Cancelled before it was sent";

/// An operation that may be cancelled.
struct Unsent {
    number: i32,
    id: OperationId,
    operation_type: OperationType,
    places: Places,
}

impl Store {
    /// Ends the rows that nothing was sent for; the rest goes on. How many were ended.
    ///
    /// From the last row to the first: none is granted only because the one before it was cancelled.
    pub async fn cancel_batch(&self, batch: &Batch) -> Result<usize, StoreError> {
        let mut cancelled = 0;
        let mut below = i32::MAX;
        loop {
            let (first, ended, departed) = cancel_chunk(self, batch.id, below).await?;
            cancelled += ended.len();
            self.ends.announce_ended(ended);
            if departed.work {
                self.ends.announce_work();
            }
            if departed.falls {
                self.ends.announce_fall();
            }
            match first {
                Some(first) => below = first,
                None => return Ok(cancelled),
            }
        }
    }
}

/// Ends one chunk: the number of its first row, if it had any, and what was ended.
async fn cancel_chunk(
    store: &Store,
    batch: Uuid,
    below: i32,
) -> Result<(Option<i32>, Vec<OperationId>, Departed), StoreError> {
    let mut transaction = store.pool.begin().await.map_err(failed_to(ACTION))?;
    let candidates = read_unended(&mut transaction, batch, below).await?;
    let first = candidates.last().map(|candidate| candidate.number);
    let mut keys: Vec<String> = candidates
        .iter()
        .flat_map(|candidate| {
            let read = candidate.places.read.as_ref().map(|(lane, _)| lane.clone());
            std::iter::once(candidate.places.lane.clone()).chain(read)
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    lanes::lock(&mut transaction, &keys)
        .await
        .map_err(failed_to(ACTION))?;
    let unsent = end_unsent(&mut transaction, &candidates)
        .await
        .map_err(failed_to(ACTION))?;
    let ended: Vec<Unsent> = candidates
        .into_iter()
        .filter(|candidate| unsent.contains(&candidate.id.0))
        .collect();
    let departed = depart(&mut transaction, &ended, store.fells)
        .await
        .map_err(failed_to(ACTION))?;
    transaction.commit().await.map_err(failed_to(ACTION))?;
    Ok((
        first,
        ended.into_iter().map(|row| row.id).collect(),
        departed,
    ))
}

/// The last rows below a number that have not ended, the last one first.
async fn read_unended(
    connection: &mut PgConnection,
    batch: Uuid,
    below: i32,
) -> Result<Vec<Unsent>, StoreError> {
    sqlx::query!(
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
    .fetch_all(connection)
    .await
    .map_err(failed_to(ACTION))?
    .into_iter()
    .map(|row| {
        Ok(Unsent {
            number: row.number,
            id: OperationId(row.id),
            operation_type: OperationType::from_name(&row.r#type)
                .ok_or(StoreError::Unknown { what: "type" })?,
            places: Places {
                lane: row.lane,
                position: row.position,
                read: row.read_lane.zip(row.read_position),
            },
        })
    })
    .collect()
}

/// Ends those that nothing was sent for, in lanes that are locked. A worker that reads for one of them
/// finds its claim gone when it would commit the attempt.
async fn end_unsent(
    connection: &mut PgConnection,
    candidates: &[Unsent],
) -> Result<Vec<Uuid>, sqlx::Error> {
    let locked = sqlx::query_scalar!(
        "SELECT id FROM operation
          WHERE id = ANY ($1) AND ended_at IS NULL
          ORDER BY id
            FOR NO KEY UPDATE",
        &candidates.iter().map(|row| row.id.0).collect::<Vec<_>>()
    )
    .fetch_all(&mut *connection)
    .await?;
    // A statement of its own: that of the lock sees the attempts as they were before it was granted.
    sqlx::query_scalar!(
        "UPDATE operation o
            SET state = 'failed', due_at = NULL, why = NULL, why_since = NULL, resolution = NULL,
                ended_at = now()
          WHERE o.id = ANY ($1)
            AND NOT EXISTS (SELECT FROM attempt a WHERE a.operation_id = o.id)
      RETURNING o.id",
        &locked
    )
    .fetch_all(connection)
    .await
}

/// Writes the results of what was ended, and takes it out of its lanes.
async fn depart(
    connection: &mut PgConnection,
    ended: &[Unsent],
    fells: Fells,
) -> Result<Departed, sqlx::Error> {
    if ended.is_empty() {
        return Ok(Departed::default());
    }
    let mut departures = Departures::default();
    let mut results = Results::default();
    let mut marked = Vec::new();
    for row in ended {
        departures.leave(&row.places);
        let fells = fells(row.operation_type);
        if fells {
            departures.fell(&row.places, row.id.0);
            marked.push(row.places.lane.clone());
        }
        let failure = Some((CODE.to_owned(), MESSAGE.to_owned(), fells));
        results.push(row.id, None, None, failure);
    }
    results.insert(&mut *connection).await?;
    let departed = departures.write(&mut *connection).await?;
    // Whoever cancels knows of it: what comes next is not to fall with it.
    sqlx::query!(
        "UPDATE lane SET failure_read = true WHERE key = ANY ($1) AND failed_by = ANY ($2)",
        &marked,
        &ended.iter().map(|row| row.id.0).collect::<Vec<_>>()
    )
    .execute(connection)
    .await?;
    Ok(departed)
}
