//! Reads single operations for their callers. Concurrent reads are combined into one statement.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::{
    Pool, Store, StoreError, batcher::Batcher, connect, error::failed_to, names, patience,
    track_row::Row,
};
use crate::domain::{OperationId, Owner, State, TrackingId};

/// How long a read may take. Requests that arrive during the read wait until it has ended.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// An operation as its caller sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// The state.
    pub state: State,
    /// Fineract's success body, unchanged; only if the operation succeeded.
    pub success: Option<String>,
    /// Fineract's failure body, unchanged; only if Fineract refused the operation.
    pub failure: Option<String>,
    /// The sentence that explains the failure.
    pub message: Option<String>,
    /// When the operation ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// One operation to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct TrackRead {
    id: OperationId,
    /// Whether it matters who sent it.
    with_caller: bool,
}

/// What reads one operation.
pub(super) type Reader = Batcher<TrackRead, Result<Option<Arc<Row>>, StoreError>>;

/// Starts the task that reads in batches from the hot tables.
pub(super) fn start(pool: &Pool, tasks: &TaskTracker) -> Reader {
    let pool = pool.clone();
    Batcher::start(tasks, "track", move |batch: Vec<TrackRead>| {
        let pool = pool.clone();
        async move { of_each(&batch, read(&pool, &batch).await) }
    })
}

/// Starts the task that reads in batches from the archive. A month of it may be locked while it is dropped, and reads of the
/// hot tables do not wait for that.
pub(super) fn start_archived(pool: &Pool, tasks: &TaskTracker) -> Reader {
    let pool = pool.clone();
    Batcher::start(tasks, "track_archived", move |batch: Vec<TrackRead>| {
        let pool = pool.clone();
        async move { of_each(&batch, read_archived(&pool, &batch).await) }
    })
}

fn of_each(
    batch: &[TrackRead],
    rows: Result<Vec<Row>, StoreError>,
) -> Vec<Result<Option<Arc<Row>>, StoreError>> {
    match rows {
        Ok(rows) => {
            let rows = rows.into_iter().map(|row| (row.id, Arc::new(row)));
            let rows: HashMap<Uuid, Arc<Row>> = rows.collect();
            let found = batch.iter().map(|read| rows.get(&read.id.0).cloned());
            found.map(Ok).collect()
        }
        Err(error) => error.of_each(batch.len()),
    }
}

async fn read(pool: &Pool, batch: &[TrackRead]) -> Result<Vec<Row>, StoreError> {
    let ids: Vec<Uuid> = batch.iter().map(|read| read.id.0).collect();
    // It costs a second row for each operation, so it is read only if somebody may see only its own.
    let with_callers = batch.iter().any(|read| read.with_caller);
    let reading = connect::retry_on_broken_connection(pool, || {
        sqlx::query_as!(
            Row,
            r#"SELECT id AS "id!", type AS "type!", state AS "state!", ended_at, success, failure, message, marked,
                      caller
                 FROM read_operations($1, $2)"#,
            &ids,
            with_callers
        )
        .fetch_all(pool)
    });
    patience::within(READ_TIMEOUT, reading)
        .await
        .map_err(failed_to("read operations"))
}

async fn read_archived(pool: &Pool, batch: &[TrackRead]) -> Result<Vec<Row>, StoreError> {
    let ids: Vec<Uuid> = batch.iter().map(|read| read.id.0).collect();
    let reading = connect::retry_on_broken_connection(pool, || {
        sqlx::query_as!(
            Row,
            r#"SELECT id AS "id!", type AS "type!", state AS "state!", ended_at, success, failure, message, marked,
                      caller
                 FROM read_archived_operations($1)"#,
            &ids
        )
        .fetch_all(pool)
    });
    patience::within(READ_TIMEOUT, reading)
        .await
        .map_err(failed_to("read archived operations"))
}

impl Store {
    /// Reads an operation. Returns `None` if no operation has this id and type, or if it is of another owner than `only`.
    ///
    /// If the operation's failure fails dependents, or if the operation itself failed as a dependent, this method
    /// records on the lanes that the failure was read. The caller then knows of the failure, so operations that are
    /// accepted later do not depend on it.
    pub async fn track(
        &self,
        tracking_id: TrackingId,
        only: Option<&Owner>,
    ) -> Result<Option<Tracked>, StoreError> {
        let Some(row) = self.read_row(tracking_id, only).await? else {
            return Ok(None);
        };
        if row.marked == Some(true) {
            // This future is large and seldom needed, so it is boxed. Otherwise each waiting caller would reserve
            // memory for it.
            Box::pin(self.record_failures_read(&[row.id])).await?;
        }
        Tracked::of(&row).map(Some)
    }

    /// As [`track`](Self::track), but the caller has not got the answer yet: it is not recorded that the failure was read.
    pub async fn look_at(&self, tracking_id: TrackingId) -> Result<Option<Tracked>, StoreError> {
        let row = self.read_row(tracking_id, None).await?;
        row.as_deref().map(Tracked::of).transpose()
    }

    /// As [`track`](Self::track), for several operations at once. The result has the order of `tracking_ids`.
    pub async fn track_all(
        &self,
        tracking_ids: &[TrackingId],
        only: Option<&Owner>,
    ) -> Result<Vec<Option<Tracked>>, StoreError> {
        let reads = tracking_ids.iter().map(|id| self.read_row(*id, only));
        let rows = try_join_all(reads).await?;
        let found = rows.iter().flatten();
        let marked = found.filter(|row| row.marked == Some(true));
        let marked: Vec<Uuid> = marked.map(|row| row.id).collect();
        if !marked.is_empty() {
            self.record_failures_read(&marked).await?;
        }
        rows.iter()
            .map(|row| row.as_deref().map(Tracked::of).transpose())
            .collect()
    }

    /// The row of an operation with this id and type, and of this owner.
    async fn read_row(
        &self,
        tracking_id: TrackingId,
        only: Option<&Owner>,
    ) -> Result<Option<Arc<Row>>, StoreError> {
        // Of an operation that has just ended, this process does not know who sent it.
        let recent = self.recent_ends.find(tracking_id.id);
        let row = if let Some(row) = recent.filter(|_| only.is_none()) {
            Some(row)
        } else {
            let read = TrackRead {
                id: tracking_id.id,
                with_caller: only.is_some(),
            };
            match submit(&self.tracking, read).await? {
                // After the hot tables: an operation that is archived between the two reads is found by one of them.
                None => submit(&self.tracking_archived, read).await?,
                row => row,
            }
        };
        Ok(row
            .filter(|row| row.is_of(tracking_id.operation_type))
            .filter(|row| only.is_none_or(|owner| row.is_owned_by(owner))))
    }
}

async fn submit(reader: &Reader, read: TrackRead) -> Result<Option<Arc<Row>>, StoreError> {
    let row = reader.submit(read).await;
    row.unwrap_or(Err(StoreError::Closed))
}

impl Tracked {
    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            state: names::state(&row.state)?,
            success: row.success.clone(),
            failure: row.failure.clone(),
            message: row.message.clone(),
            ended_at: row.ended_at,
        })
    }
}
