//! Waking callers who wait for an operation's end, and workers who wait for work: in memory within this process, by
//! `NOTIFY` in the others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sqlx::postgres::{PgListener, PgNotification};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    Pool, StoreError,
    error::failed_to,
    patience::{self, RETRY_PAUSE},
};
use crate::{domain::OperationId, telemetry::chain};

/// The channel of ended operations; a payload is a list of ids, each of 32 hexadecimal digits.
const ENDED: &str = "operation_ended";
/// The channel of new work; a payload is the id of the process that sends it.
const READY: &str = "operation_ready";
/// A payload of `NOTIFY` must be shorter than 8,000 bytes.
const IDS_A_NOTIFICATION: usize = 240;
/// The most ends that wait to be sent. Further ends are not sent to the other gateways, whose callers find them by
/// polling.
const MAX_UNSENT: usize = 10_000;
/// How long sending a notification may take. A late one is of no use, and others wait behind it.
const SEND_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a connection without notifications is trusted; then a new one is opened.
const MAX_SILENCE: Duration = Duration::from_mins(1);

type Waiters = HashMap<OperationId, (watch::Sender<()>, usize)>;

/// The waiters of this process. Clones share them.
#[derive(Clone, Debug)]
pub struct CompletionNotifier {
    waiters: Arc<Mutex<Waiters>>,
    work: Arc<Notify>,
    fails_dependents: Arc<Notify>,
    work_to_send: Arc<Notify>,
    process: Uuid,
    ended_to_send: mpsc::Sender<OperationId>,
}

/// A registration for an operation's end. Register first and then read the operation, so that an end between the two is
/// not missed.
#[derive(Debug)]
pub struct Waiter {
    notifier: CompletionNotifier,
    id: OperationId,
    ended: watch::Receiver<()>,
}

impl Waiter {
    /// Waits until the operation may have ended since the registration or the last call. It may return although the
    /// operation has not ended (after the database was unavailable), so read the operation again.
    pub async fn ended(&mut self) {
        if self.ended.changed().await.is_err() {
            // The sender stays in the map as long as this waiter exists.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiters = self.notifier.lock();
        if let Some((_, count)) = waiters.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                waiters.remove(&self.id);
            }
        }
    }
}

impl CompletionNotifier {
    /// Starts to notify the other gateways on this database and to listen to them, until `stop`. Without it everything
    /// still works by polling, only later.
    pub fn start(pool: &Pool, tasks: &TaskTracker, stop: &CancellationToken) -> Self {
        let (ended_to_send, ended) = mpsc::channel(MAX_UNSENT);
        let notifier = Self {
            waiters: Arc::default(),
            work: Arc::default(),
            fails_dependents: Arc::default(),
            work_to_send: Arc::default(),
            process: Uuid::new_v4(),
            ended_to_send,
        };
        tasks.spawn(listen(notifier.clone(), pool.clone(), stop.clone()));
        tasks.spawn(send(notifier.clone(), ended, pool.clone(), stop.clone()));
        notifier
    }

    fn lock(&self) -> MutexGuard<'_, Waiters> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a waiter for an operation's end.
    pub fn wait_for(&self, id: OperationId) -> Waiter {
        let mut waiters = self.lock();
        let (sender, count) = waiters
            .entry(id)
            .or_insert_with(|| (watch::Sender::new(()), 0));
        *count += 1;
        Waiter {
            notifier: self.clone(),
            id,
            ended: sender.subscribe(),
        }
    }

    /// Waits until there may be work.
    pub async fn work(&self) {
        self.work.notified().await;
    }

    /// Waits until a lane may have failing dependents.
    pub(super) async fn dependency_failure(&self) {
        self.fails_dependents.notified().await;
    }

    /// Wakes those who wait for the end of these operations; call it after the commit.
    pub(super) fn notify_ended(&self, ids: impl IntoIterator<Item = OperationId>) {
        for id in ids {
            self.wake(id);
            if self.ended_to_send.try_send(id).is_err() {
                count_lost(1);
            }
        }
    }

    /// Wakes workers; call it after the commit that made operations ready.
    pub(super) fn notify_work(&self) {
        self.work.notify_one();
        self.work_to_send.notify_one();
    }

    /// Wakes the cascade; call it after the commit of a dependency failure.
    pub(super) fn notify_dependency_failure(&self) {
        self.fails_dependents.notify_one();
    }

    fn wake(&self, id: OperationId) {
        if let Some((sender, _)) = self.lock().get(&id) {
            sender.send_replace(());
        }
    }

    fn wake_all(&self) {
        for (sender, _) in self.lock().values() {
            sender.send_replace(());
        }
        self.work.notify_one();
    }

    fn handle(&self, notification: &PgNotification) {
        if notification.channel() == READY {
            // Postgres also notifies the sender.
            if Uuid::try_parse(notification.payload()) != Ok(self.process) {
                self.work.notify_one();
            }
        } else {
            let (ids, _) = notification.payload().as_bytes().as_chunks::<32>();
            ids.iter()
                .filter_map(|digits| Uuid::try_parse_ascii(digits).ok())
                .for_each(|id| self.wake(OperationId(id)));
        }
    }

    async fn listen_once(&self, pool: &Pool) -> Result<(), sqlx::Error> {
        let listening = async {
            let mut listener = PgListener::connect_with(&pool.single_connection()).await?;
            listener.listen_all([ENDED, READY]).await?;
            Ok(listener)
        };
        let mut listener = patience::within(MAX_SILENCE, listening).await?;
        // Notifications that were sent while this process did not listen are lost.
        self.wake_all();
        while let Ok(received) = timeout(MAX_SILENCE, listener.try_recv()).await {
            match received? {
                Some(notification) => self.handle(&notification),
                None => return Ok(()),
            }
        }
        Ok(())
    }
}

async fn listen(notifier: CompletionNotifier, pool: Pool, stop: CancellationToken) {
    let listening = async {
        loop {
            if let Err(error) = notifier.listen_once(&pool).await {
                tracing::warn!(
                    error = %chain(&error),
                    "notifications cannot be received; callers and workers poll until the connection is back"
                );
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    };
    stop.run_until_cancelled(listening).await;
}

/// Notifies the other gateways, outside of the transactions whose commits it reports: a `NOTIFY` in a transaction takes
/// a cluster-wide lock at commit (6,600 instead of 25,800 inserts/s).
async fn send(
    notifier: CompletionNotifier,
    mut ended: mpsc::Receiver<OperationId>,
    pool: Pool,
    stop: CancellationToken,
) {
    let process = notifier.process.to_string();
    let mut ids = Vec::new();
    loop {
        let sent = tokio::select! {
            () = stop.cancelled() => return,
            () = notifier.work_to_send.notified() => pg_notify(&pool, READY, &process).await,
            count = ended.recv_many(&mut ids, IDS_A_NOTIFICATION) => {
                let payload: String = ids.drain(..).map(|id| id.0.simple().to_string()).collect();
                let sent = pg_notify(&pool, ENDED, &payload).await;
                if sent.is_err() {
                    count_lost(count);
                }
                sent
            }
        };
        if let Err(error) = sent {
            tracing::debug!(
                error = %chain(&error),
                "a notification could not be sent; the other gateways poll"
            );
        }
    }
}

fn count_lost(count: usize) {
    metrics::counter!("gateway_notifications_lost_total")
        .increment(u64::try_from(count).unwrap_or(u64::MAX));
}

async fn pg_notify(pool: &Pool, channel: &str, payload: &str) -> Result<(), StoreError> {
    let notifying = sqlx::query!("SELECT pg_notify($1, $2)", channel, payload).execute(pool);
    patience::within(SEND_TIMEOUT, notifying)
        .await
        .map(drop)
        .map_err(failed_to("notify the other gateways"))
}
