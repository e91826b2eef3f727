//! Who waits for an operation's end, and who is told of new work: in memory for this process, by
//! `NOTIFY` for the others.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sqlx::{
    PgPool,
    postgres::{PgListener, PgNotification},
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{RETRY_PAUSE, chain};
use crate::domain::OperationId;

/// The channel of ended operations; a payload is a list of ids, each of 32 hexadecimal digits.
const ENDED: &str = "operation_ended";
/// The channel that says that there is work.
const READY: &str = "operation_ready";
/// `NOTIFY` carries less than 8,000 bytes.
const IDS_A_NOTIFICATION: usize = 240;

type Waiters = HashMap<OperationId, (watch::Sender<()>, usize)>;

/// The waiters of this process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Ends {
    waiters: Arc<Mutex<Waiters>>,
    work: Arc<Notify>,
}

/// A registered wish to hear of an operation's end. Register first, then look: an end between the two
/// is not missed.
#[derive(Debug)]
pub struct Waiter {
    ends: Ends,
    id: OperationId,
    ended: watch::Receiver<()>,
}

impl Waiter {
    /// Waits until the operation is said to have ended since the registration or the last call. It may
    /// be said too often (after the database was away), never too seldom: look again.
    pub async fn ended(&mut self) {
        // The sender is in the map as long as this waiter is.
        drop(self.ended.changed().await);
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiters = self.ends.lock();
        if let Some((_, count)) = waiters.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                waiters.remove(&self.id);
            }
        }
    }
}

impl Ends {
    fn lock(&self) -> MutexGuard<'_, Waiters> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a waiter for an operation's end.
    pub fn wait_for(&self, id: OperationId) -> Waiter {
        let mut waiters = self.lock();
        let (sender, count) = waiters.entry(id).or_insert_with(|| (watch::Sender::new(()), 0));
        *count += 1;
        Waiter { ends: self.clone(), id, ended: sender.subscribe() }
    }

    /// Wakes this process' waiters for an operation.
    pub(super) fn announce(&self, id: OperationId) {
        if let Some((sender, _)) = self.lock().get(&id) {
            sender.send_replace(());
        }
    }

    /// Says that there is work for this process.
    pub(super) fn announce_work(&self) {
        self.work.notify_one();
    }

    /// Waits until there may be work. Ask for the future before looking for work: what comes between is
    /// not missed.
    pub async fn work(&self) {
        self.work.notified().await;
    }

    fn announce_all(&self) {
        for (sender, _) in self.lock().values() {
            sender.send_replace(());
        }
        self.announce_work();
    }

    fn heard(&self, notification: &PgNotification) {
        if notification.channel() == READY {
            self.announce_work();
        } else {
            notification
                .payload()
                .as_bytes()
                .chunks_exact(32)
                .filter_map(|digits| Uuid::try_parse_ascii(digits).ok())
                .for_each(|id| self.announce(OperationId(id)));
        }
    }

    /// Listens to the other gateways on this database until it is cancelled. Polling is enough without
    /// it; with it, they are quick.
    pub async fn listen(self, pool: PgPool, stop: CancellationToken) {
        let listening = async {
            loop {
                if let Err(error) = self.listen_once(&pool).await {
                    tracing::warn!(error = chain(&error), "the database's notifications are away");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        };
        drop(stop.run_until_cancelled(listening).await);
    }

    async fn listen_once(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen_all([ENDED, READY]).await?;
        // What was said while nobody listened is not said again.
        self.announce_all();
        while let Some(notification) = listener.try_recv().await? {
            self.heard(&notification);
        }
        Ok(())
    }
}

/// Tells the other gateways what has ended, after the commit and outside of its transaction: a `NOTIFY`
/// in there takes a cluster-wide lock at commit (25,800 inserts/s fell to 6,600).
pub(super) async fn notify_ended(pool: &PgPool, ids: &[OperationId]) {
    for ids in ids.chunks(IDS_A_NOTIFICATION) {
        let mut payload = String::with_capacity(32 * ids.len());
        for id in ids {
            // Writing to a String does not fail.
            drop(write!(payload, "{}", id.0.simple()));
        }
        notify(pool, ENDED, &payload).await;
    }
}

/// Tells the other gateways that there is work.
pub(super) async fn notify_ready(pool: &PgPool) {
    notify(pool, READY, "").await;
}

async fn notify(pool: &PgPool, channel: &str, payload: &str) {
    if let Err(error) = sqlx::query!("SELECT pg_notify($1, $2)", channel, payload).execute(pool).await
    {
        tracing::debug!(error = chain(&error), "a notification was not sent; the others poll");
    }
}
