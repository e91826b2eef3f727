//! Who waits for an operation's end, and who is told of new work: in memory for this process, by
//! `NOTIFY` for the others.

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

use super::{Pool, RETRY_PAUSE, StoreError, failed_to, patience};
use crate::{domain::OperationId, telemetry::chain};

/// The channel of ended operations; a payload is a list of ids, each of 32 hexadecimal digits.
const ENDED: &str = "operation_ended";
/// The channel that says that there is work; a payload is the process that says it.
const READY: &str = "operation_ready";
/// `NOTIFY` carries less than 8,000 bytes.
const IDS_A_NOTIFICATION: usize = 240;
/// The most ends that wait to be told. The other gateways are told of no more: their callers look again by themselves.
const MOST_UNTOLD: usize = 10_000;
/// How long a notification may take. Later it is of no use, and those behind it wait.
const LONGEST: Duration = Duration::from_secs(2);

/// How long a connection that hears nothing is believed to be alive; then another one listens.
const TRUSTED_SILENCE: Duration = Duration::from_mins(1);

type Waiters = HashMap<OperationId, (watch::Sender<()>, usize)>;

/// The waiters of this process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CompletionNotifier {
    waiters: Arc<Mutex<Waiters>>,
    work: Arc<Notify>,
    fails_dependents: Arc<Notify>,
    tell_work: Arc<Notify>,
    process: Uuid,
    tell_ended: mpsc::Sender<OperationId>,
}

/// A registered wish to hear of an operation's end. Register first, then look: an end between the two
/// is not missed.
#[derive(Debug)]
pub struct Waiter {
    notifier: CompletionNotifier,
    id: OperationId,
    ended: watch::Receiver<()>,
}

impl Waiter {
    /// Waits until the operation is said to have ended since the registration or the last call. It may
    /// be said too often (after the database was away), never too seldom: look again.
    pub async fn ended(&mut self) {
        if self.ended.changed().await.is_err() {
            // The sender is in the map as long as this waiter is.
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
    /// Starts telling the other gateways on this database, and listening to them, until `stop`.
    /// Polling is enough without it; with it, they are quick.
    pub fn start(pool: &Pool, tasks: &TaskTracker, stop: &CancellationToken) -> Self {
        let (tell_ended, ended) = mpsc::channel(MOST_UNTOLD);
        let notifier = Self {
            waiters: Arc::default(),
            work: Arc::default(),
            fails_dependents: Arc::default(),
            tell_work: Arc::default(),
            process: Uuid::new_v4(),
            tell_ended,
        };
        tasks.spawn(listen(notifier.clone(), pool.clone(), stop.clone()));
        tasks.spawn(tell(notifier.clone(), ended, pool.clone(), stop.clone()));
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

    /// Waits until operations may have fallen with one that failed.
    pub(super) async fn fails_dependents(&self) {
        self.fails_dependents.notified().await;
    }

    /// Says, after the commit, that operations have ended.
    pub(super) fn notify_ended(&self, ids: impl IntoIterator<Item = OperationId>) {
        for id in ids {
            self.wake(id);
            if self.tell_ended.try_send(id).is_err() {
                count_lost(1);
            }
        }
    }

    /// Says, after the commit, that there is work.
    pub(super) fn notify_work(&self) {
        self.work.notify_one();
        self.tell_work.notify_one();
    }

    /// Says, after the commit, that a lane is falling.
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

    fn heard(&self, notification: &PgNotification) {
        if notification.channel() == READY {
            // Postgres tells it to whoever said it as well.
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
            let mut listener = PgListener::connect_with(&pool.of_one()).await?;
            listener.listen_all([ENDED, READY]).await?;
            Ok(listener)
        };
        let mut listener = patience::within(TRUSTED_SILENCE, listening).await?;
        // What was said while nobody listened is not said again.
        self.wake_all();
        while let Ok(heard) = timeout(TRUSTED_SILENCE, listener.try_recv()).await {
            match heard? {
                Some(notification) => self.heard(&notification),
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
                    "the database's notifications are away"
                );
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    };
    stop.run_until_cancelled(listening).await;
}

/// Tells the other gateways, outside of the transactions it tells of: a `NOTIFY` in there takes a
/// cluster-wide lock at commit (25,800 inserts/s fell to 6,600).
async fn tell(
    notifier: CompletionNotifier,
    mut ended: mpsc::Receiver<OperationId>,
    pool: Pool,
    stop: CancellationToken,
) {
    let process = notifier.process.to_string();
    let mut ids = Vec::new();
    loop {
        let told = tokio::select! {
            () = stop.cancelled() => return,
            () = notifier.tell_work.notified() => notify(&pool, READY, &process).await,
            count = ended.recv_many(&mut ids, IDS_A_NOTIFICATION) => {
                let payload: String = ids.drain(..).map(|id| id.0.simple().to_string()).collect();
                let told = notify(&pool, ENDED, &payload).await;
                if told.is_err() {
                    count_lost(count);
                }
                told
            }
        };
        if let Err(error) = told {
            tracing::debug!(
                error = %chain(&error),
                "a notification was not sent; the others poll"
            );
        }
    }
}

fn count_lost(notifier: usize) {
    metrics::counter!("gateway_notifications_lost_total")
        .increment(u64::try_from(notifier).unwrap_or(u64::MAX));
}

async fn notify(pool: &Pool, channel: &str, payload: &str) -> Result<(), StoreError> {
    let notifying = sqlx::query!("SELECT pg_notify($1, $2)", channel, payload).execute(pool);
    patience::within(LONGEST, notifying)
        .await
        .map(drop)
        .map_err(failed_to("tell the other gateways"))
}
