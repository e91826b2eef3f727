//! Records that failures were read. Operations that are accepted later do not depend on a failure that was read,
//! because the caller can know of the failure.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use sqlx::PgConnection;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::{
    Pool, Store, StoreError, connect, lanes,
    patience::{RETRY_PAUSE, WithTimeout},
};
use crate::telemetry::chain;

const ACTION: &str = "record that failures were read";
/// How long a request that reads a failure waits until the reading is recorded.
const RECORD_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the gateway tries in the background to record a reading that it could not record immediately. After this
/// time, the failure mark has no effect any more.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(1);
/// The largest number of failures that wait to be recorded as read.
const MAX_LATER: usize = 1_000;

/// Starts the task that records readings later, if they could not be recorded immediately because the lane was locked.
pub(super) fn start(pool: &Pool, tasks: &TaskTracker) -> mpsc::Sender<Uuid> {
    let (later, mut arrivals) = mpsc::channel(MAX_LATER);
    let pool = pool.clone();
    tasks.spawn(async move {
        let mut open: HashMap<Uuid, Instant> = HashMap::new();
        while let Some(id) = arrivals.recv().await {
            open.insert(id, Instant::now());
            while !open.is_empty() {
                while let Ok(id) = arrivals.try_recv() {
                    open.entry(id).or_insert_with(Instant::now);
                }
                let ids: Vec<Uuid> = open.keys().copied().collect();
                for id in ids {
                    if record_once(&pool, &[id]).await.is_ok() {
                        open.remove(&id);
                    }
                }
                open.retain(|_, since| since.elapsed() < FORGOTTEN_AFTER);
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
    });
    later
}

impl Store {
    /// Records on the lanes of these operations that their failures were read. If an operation failed as a dependent,
    /// the failure on which it depended counts as read too. If another session keeps a lane locked, this method gives
    /// up after 2 s and the caller's request continues. The reading is recorded later, if the lock is gone within a
    /// minute.
    pub async fn record_failures_read(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        let give_up = Instant::now() + RECORD_TIMEOUT;
        loop {
            match record_once(&self.pool, ids).await {
                Err(error) if error.is_lock_timeout() && Instant::now() < give_up => {}
                Err(error) if error.is_lock_timeout() => {
                    tracing::warn!(error = %chain(&error), "the gateway could not record that failures were read, because their lanes are locked; trying again for a minute");
                    for id in ids {
                        self.recording_later.try_send(*id).ok();
                    }
                    return Ok(());
                }
                result => return result,
            }
        }
    }
}

async fn record_once(pool: &Pool, ids: &[Uuid]) -> Result<(), StoreError> {
    let unread = sqlx::query_scalar!(
        "SELECT DISTINCT l.key
           FROM result r
           JOIN operation o ON o.id = r.operation_id
           JOIN lane l ON l.key IN (o.lane, o.read_lane)
          WHERE r.operation_id = ANY ($1)
            AND r.marked
            AND l.failed_at <= o.ended_at
            AND NOT l.failure_read",
        ids
    )
    .fetch_all(pool)
    .or_fail_to(ACTION)
    .await?;
    if unread.is_empty() {
        return Ok(());
    }
    let mut transaction = connect::begin_batch(pool).or_fail_to(ACTION).await?;
    lanes::lock(&mut transaction, &unread)
        .or_fail_to(ACTION)
        .await?;
    record(&mut transaction, ids, &unread)
        .or_fail_to(ACTION)
        .await?;
    transaction.commit().or_fail_to(ACTION).await
}

/// Records on these lanes that the failures of these operations were read. The lanes must be locked already.
pub(super) async fn record(
    connection: &mut PgConnection,
    ids: &[Uuid],
    lanes: &[String],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE lane l
            SET failure_read = true
           FROM operation o
          WHERE o.id = ANY ($1)
            AND l.key IN (o.lane, o.read_lane)
            AND l.key = ANY ($2)
            AND l.failed_at <= o.ended_at
            AND NOT l.failure_read",
        ids,
        lanes
    )
    .execute(connection)
    .await
    .map(drop)
}
