//! Ending those rows of a batch that nothing was sent for.

use sqlx::PgConnection;
use uuid::Uuid;

use super::Batch;
use crate::{
    domain::OperationId,
    store::{
        Asking, Places, Store, StoreError,
        cancel::{Reason, Unsent, end_unsent},
        connect,
        lanes::{self, Departed},
        names,
    },
};

const ACTION: &str = "cancel a batch";
/// Rows ended in one transaction.
const CHUNK: i64 = 500;

impl Store {
    /// Ends the rows that nothing was sent for; the rest goes on. How many were ended.
    ///
    /// From the last row to the first: none is granted only because the one before it was cancelled.
    pub async fn cancel_batch(&self, batch: &Batch) -> Result<usize, StoreError> {
        let mut count = 0;
        let mut below = i32::MAX;
        while let Some((first, cancelled, departed)) = cancel_chunk(self, batch.id, below).await? {
            self.announce_unsent(&cancelled, departed);
            count += cancelled.len();
            below = first;
        }
        Ok(count)
    }
}

/// Ends one chunk, if there is one: the number of its first row, and what was ended.
async fn cancel_chunk(
    store: &Store,
    batch: Uuid,
    below: i32,
) -> Result<Option<(i32, Vec<Unsent>, Departed)>, StoreError> {
    let mut transaction = connect::begin(&store.pool).or_fail_to(ACTION).await?;
    let (numbers, candidates): (Vec<i32>, Vec<Unsent>) =
        read_unended(&mut transaction, batch, below)
            .await?
            .into_iter()
            .unzip();
    let Some(&first) = numbers.last() else {
        return Ok(None);
    };
    let lanes = candidates.iter().flat_map(|unsent| unsent.places.lanes());
    lanes::lock(&mut transaction, &lanes.collect::<Vec<_>>())
        .or_fail_to(ACTION)
        .await?;
    let (cancelled, departed) =
        end_unsent(&mut transaction, candidates, Reason::Cancelled, store.fells)
            .or_fail_to(ACTION)
            .await?;
    transaction.commit().or_fail_to(ACTION).await?;
    Ok(Some((first, cancelled, departed)))
}

/// The last rows below a number that have not ended, the last one first.
async fn read_unended(
    connection: &mut PgConnection,
    batch: Uuid,
    below: i32,
) -> Result<Vec<(i32, Unsent)>, StoreError> {
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
    .or_fail_to(ACTION)
    .await?
    .into_iter()
    .map(|row| {
        let unsent = Unsent {
            id: OperationId(row.id),
            operation_type: names::operation_type(&row.r#type)?,
            places: Places {
                lane: row.lane,
                position: row.position,
                read: row.read_lane.zip(row.read_position),
            },
        };
        Ok((row.number, unsent))
    })
    .collect()
}
