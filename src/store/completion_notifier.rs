//! Wakes callers that wait for the end of an operation, workers that wait for work, and readers that wait for events.
//! Within this process, this happens in memory; in other processes, by `NOTIFY`.

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
    event_notifier::EventNotifier,
    patience::{self, RETRY_PAUSE},
};
use crate::{domain::OperationId, telemetry::chain};

/// The channel for ended operations. The text of a notification is a list of operation ids, each of 32 hexadecimal
/// digits.
const ENDED: &str = "operation_ended";
/// The channel for new work. The text of a notification is the id of the process that sends it.
const READY: &str = "operation_ready";
/// The channel for numbered events. The text of a notification is the last number.
const NUMBERED: &str = "event_numbered";
/// The largest number of ids in one notification. The text of a `NOTIFY` must be shorter than 8,000 bytes.
const IDS_A_NOTIFICATION: usize = 240;
/// The largest number of ends that wait to be sent to the other gateways. Further ends are not sent. The callers of the
/// other gateways then find these ends by polling.
const MAX_UNSENT: usize = 10_000;
/// How long sending a notification may take. A late notification is useless, and other notifications wait behind it.
const SEND_TIMEOUT: Duration = Duration::from_secs(2);

/// The pause between two notifications. A notification takes a lock of the whole cluster and costs as much as a small
/// statement, so what happens during the pause is sent together.
const PAUSE: Duration = Duration::from_millis(5);

/// How long the gateway trusts a connection on which no notification arrives. After this time, it opens a new
/// connection.
const MAX_SILENCE: Duration = Duration::from_mins(1);

type Waiters = HashMap<OperationId, (watch::Sender<()>, usize)>;

/// The waiters of this process. Clones share them.
#[derive(Clone, Debug)]
pub struct CompletionNotifier {
    waiters: Arc<Mutex<Waiters>>,
    work: Arc<Notify>,
    fails_dependents: Arc<Notify>,
    work_to_send: Arc<Notify>,
    /// What concerns events.
    pub(super) events: EventNotifier,
    process: Uuid,
    ended_to_send: mpsc::Sender<OperationId>,
}

/// A registration for an operation's end. Register first and then read the operation. Otherwise you would miss an end
/// between the two steps.
#[derive(Debug)]
pub struct Waiter {
    notifier: CompletionNotifier,
    id: OperationId,
    ended: watch::Receiver<()>,
}

impl Waiter {
    /// Waits for a notification that arrives after the registration, or after the last call. When this method returns,
    /// read the operation again: it may not have ended, because a new connection for notifications wakes all waiters.
    pub async fn ended(&mut self) {
        if self.ended.changed().await.is_err() {
            // This does not happen, because the sender stays in the map as long as this waiter exists.
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
    /// Starts the tasks that notify the other gateways on this database and that listen to them, until `stop` is
    /// cancelled. If no notification arrives, callers and workers still find everything by polling, only later.
    pub fn start(pool: &Pool, tasks: &TaskTracker, stop: &CancellationToken) -> Self {
        let (ended_to_send, ended) = mpsc::channel(MAX_UNSENT);
        let notifier = Self {
            waiters: Arc::default(),
            work: Arc::default(),
            fails_dependents: Arc::default(),
            work_to_send: Arc::default(),
            events: EventNotifier::default(),
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

    /// Waits until there may be a lane in which the dependents of a failure have to be ended.
    pub(super) async fn dependency_failure(&self) {
        self.fails_dependents.notified().await;
    }

    /// Wakes the callers that wait for the end of these operations, and the sequencer. Call this method after the commit.
    pub(super) fn notify_ended(&self, ids: impl IntoIterator<Item = OperationId>) {
        self.events.notify_new();
        for id in ids {
            self.wake(id);
            if self.ended_to_send.try_send(id).is_err() {
                count_lost(1);
            }
        }
    }

    /// Wakes workers. Call this method after the commit that made operations ready.
    pub(super) fn notify_work(&self) {
        self.work.notify_one();
        self.work_to_send.notify_one();
    }

    /// Wakes the cascade. Call this method after the commit of a failure that fails its dependents.
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
            // Postgres sends a notification also to the process that caused it.
            if Uuid::try_parse(notification.payload()) != Ok(self.process) {
                self.work.notify_one();
            }
        } else if notification.channel() == NUMBERED {
            if let Ok(last) = notification.payload().parse() {
                self.events.raise(last);
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
            listener.listen_all([ENDED, READY, NUMBERED]).await?;
            Ok(listener)
        };
        let mut listener = patience::within(MAX_SILENCE, listening).await?;
        // Notifications that were sent while this process did not listen are lost. So every waiter looks again.
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

/// Notifies the other gateways. Each `NOTIFY` is sent after the transaction that it reports, not as a part of
/// this transaction. The reason: a transaction with a `NOTIFY` takes a cluster-wide lock at its commit. With this lock,
/// Postgres inserts 6,600 rows/s, without it 25,800 rows/s.
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
            last = notifier.events.to_send() => pg_notify(&pool, NUMBERED, &last.to_string()).await,
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
        tokio::time::sleep(PAUSE).await;
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
