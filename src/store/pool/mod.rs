//! The connections to the database: lent to whoever has a statement, taken back in good order or closed.
//!
//! | module | owns |
//! | --- | --- |
//! | `lent` | one connection while it is used, and a transaction on it |
//! | `session` | what a new connection has to be before it is used |
//!
//! It rests on sqlx's pool, and does two things that that one does not. A connection that does not answer is
//! closed within seconds: sqlx asks each one that comes back whether it is still there, for as long as TCP has
//! hope (15 minutes), and it keeps its place in the pool meanwhile. And whoever waits takes the first
//! connection that comes back: sqlx has it wait for the new one that it began to open, which a session pooler
//! that has fewer connections than this may open never gives.

mod lent;
mod session;

use std::{
    fmt,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{
    FutureExt as _, StreamExt as _, TryFutureExt as _, TryStreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use sqlx::{
    Describe, Either, Execute, Executor, PgPool, Postgres, SqlStr,
    postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo},
};
use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

pub use self::session::UnfitSetting;
pub(super) use self::{
    lent::{Lent, Transaction},
    session::Session,
};
use crate::telemetry::chain;

/// How long a request waits for a connection before it is told that the database is away.
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// How long a connection may take to be opened; whoever waits for it has time for another one.
pub(super) const OPENED_WITHIN: Duration = Duration::from_secs(2);
/// How long after one that could not be opened the next one is tried.
const PAUSE: Duration = Duration::from_secs(1);

/// The connections of this process. Cheap to clone.
#[derive(Clone)]
pub struct Pool {
    pool: PgPool,
    slots: Arc<Slots>,
}

/// Which connections are free, of those that are there as far as is known.
struct Slots {
    free: Arc<Semaphore>,
    count: AtomicUsize,
    most: usize,
    /// Held by whoever opens one more.
    opening: Arc<Mutex<()>>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(&self.pool).finish()
    }
}

impl From<PgPool> for Pool {
    fn from(pool: PgPool) -> Self {
        let most = pool.options().get_max_connections();
        let slots = Slots {
            free: Arc::new(Semaphore::new(0)),
            count: AtomicUsize::new(0),
            most: most.try_into().unwrap_or(usize::MAX),
            opening: Arc::default(),
        };
        Self {
            pool,
            slots: Arc::new(slots),
        }
    }
}

impl Pool {
    /// sqlx's pool, for migrations.
    pub(super) fn inner(&self) -> &PgPool {
        &self.pool
    }

    /// A pool of one connection like these, for whoever keeps it.
    pub(super) fn of_one(&self) -> PgPool {
        let options = self.pool.options().clone().max_connections(1);
        options.connect_lazy_with((*self.pool.connect_options()).clone())
    }

    /// How many connections there may be.
    pub(super) fn most(&self) -> usize {
        self.slots.most
    }

    /// Lends a connection: one that is free or a new one, whichever comes first.
    pub(super) async fn lend(&self) -> Result<Lent, sqlx::Error> {
        timeout(LONGEST_WAIT, self.lend_patiently())
            .await
            .unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    async fn lend_patiently(&self) -> Result<Lent, sqlx::Error> {
        loop {
            let slot = self.slot().await?;
            match self.pool.acquire().await {
                Ok(connection) => return Ok(Lent::new(connection, slot)),
                // The database gives us fewer than it did.
                Err(sqlx::Error::PoolTimedOut) => {
                    slot.forget();
                    self.slots.count.fetch_sub(1, Ordering::Relaxed);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A free place, as soon as there is one.
    async fn slot(&self) -> Result<OwnedSemaphorePermit, sqlx::Error> {
        let mut freed = pin!(Arc::clone(&self.slots.free).acquire_owned());
        loop {
            let may_open = self.slots.may_open();
            tokio::select! {
                biased;
                slot = &mut freed => return slot.map_err(|_closed| sqlx::Error::PoolClosed),
                opening = Arc::clone(&self.slots.opening).lock_owned(), if may_open => self.open_one_more(opening),
            }
        }
    }

    /// Opens one more connection, aside.
    fn open_one_more(&self, opening: OwnedMutexGuard<()>) {
        let Self { pool, slots } = self.clone();
        aside(async move {
            if slots.may_open() {
                match pool.acquire().await {
                    Ok(connection) => {
                        slots.count.fetch_add(1, Ordering::Relaxed);
                        lent::take_back(connection, false).await;
                        slots.free.add_permits(1);
                    }
                    Err(error) => {
                        tracing::debug!(error = %chain(&error), "no further connection to the database");
                        sleep(PAUSE).await;
                    }
                }
            }
            drop(opening);
        });
    }
}

impl Slots {
    fn may_open(&self) -> bool {
        self.count.load(Ordering::Relaxed) < self.most
    }
}

/// Runs what is over within seconds.
#[expect(clippy::disallowed_methods, reason = "nobody needs to wait for it")]
fn aside(what: impl Future<Output = ()> + Send + 'static) {
    // Where the runtime has ended, so have the connections.
    if Handle::try_current().is_ok() {
        tokio::spawn(what);
    }
}

/// A statement by itself, on any connection.
impl<'p> Executor<'p> for &Pool {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        E: 'q + Execute<'q, Postgres>,
    {
        let pool = self.clone();
        let rows = async move {
            let mut lent = pool.lend().await?;
            let rows: Vec<_> = lent.fetch_many(query).try_collect().await?;
            Ok(stream::iter(rows.into_iter().map(Ok)))
        };
        rows.try_flatten_stream().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        E: 'q + Execute<'q, Postgres>,
    {
        let pool = self.clone();
        async move { pool.lend().await?.fetch_optional(query).await }.boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        async move { pool.lend().await?.prepare_with(sql, parameters).await }.boxed()
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, sqlx::Error>> {
        let pool = self.clone();
        async move { pool.lend().await?.describe(sql).await }.boxed()
    }
}
