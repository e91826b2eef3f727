//! Noting that failures were read: what is accepted later is by someone who knows of them.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use sqlx::PgConnection;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::{Asking, Pool, RETRY_PAUSE, Store, StoreError, connect, lanes};
use crate::telemetry::chain;

const ACTION: &str = "note that failures were read";
/// How long whoever reads a failure waits until that is noted.
const LONGEST: Duration = Duration::from_secs(2);
/// How long it is tried afterwards: by then the failure fells nobody any more.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(1);
/// The most that are noted later.
const MOST_LATER: usize = 1_000;

/// Starts the task that notes what could not be noted when it was read, since somebody had the lane locked.
pub(super) fn start(pool: &Pool, tasks: &TaskTracker) -> mpsc::Sender<Uuid> {
    let (later, mut arrivals) = mpsc::channel(MOST_LATER);
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
                    if note_once(&pool, &[id]).await.is_ok() {
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
    /// Notes on their lanes that the failures of these operations, or those that they fell with, were read. Where somebody
    /// has a lane locked, it is noted as soon as that is over: reading goes on without it.
    pub(super) async fn note_failures_read(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        let give_up = Instant::now() + LONGEST;
        loop {
            match note_once(&self.pool, ids).await {
                Err(error) if error.is_lock_timeout() && Instant::now() < give_up => {}
                Err(error) if error.is_lock_timeout() => {
                    tracing::warn!(error = %chain(&error), "that failures were read is noted later");
                    for id in ids {
                        self.noting_later.try_send(*id).ok();
                    }
                    return Ok(());
                }
                result => return result,
            }
        }
    }
}

async fn note_once(pool: &Pool, ids: &[Uuid]) -> Result<(), StoreError> {
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
    note(&mut transaction, ids, &unread)
        .or_fail_to(ACTION)
        .await?;
    transaction.commit().or_fail_to(ACTION).await
}

/// Notes it on lanes that are locked.
pub(super) async fn note(
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
