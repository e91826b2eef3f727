//! The pool of connections to the database.
//!
//! | module | content |
//! | --- | --- |
//! | `connection` | one connection while it is in use, and a transaction on it |
//! | `session` | the settings that a new connection must have before it is used |
//!
//! This pool uses sqlx's pool, but differs from it in two ways:
//!
//! - A connection that does not answer is closed within seconds. sqlx would check a returned connection for as long as
//!   TCP keeps trying (15 minutes). During this time, the connection would count as one of the pool's connections.
//! - A caller that waits receives the first connection that is returned. sqlx would let the caller wait for the new
//!   connection that it has begun to open. If a session pooler grants fewer connections than this pool may open, the
//!   new connection never comes.

mod connection;
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
    sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

pub use self::session::UnfitSetting;
pub(super) use self::{
    connection::{PooledConnection, Transaction},
    session::Session,
};
use crate::telemetry::chain;

/// How long a caller waits for a connection before it receives an error.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long opening a connection may take. A caller that waited for this connection then still has time to get another
/// connection.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The pause after a failed try to open a connection.
const PAUSE: Duration = Duration::from_secs(1);

/// The connections of this process. Clones share them.
#[derive(Clone)]
pub struct Pool {
    pool: PgPool,
    slots: Arc<Slots>,
}

/// Counts the connections that exist, as far as the gateway knows, and the free connections.
struct Slots {
    free: Arc<Semaphore>,
    count: AtomicUsize,
    most: usize,
    /// Locked by the task that opens a further connection.
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

    /// A separate pool of one connection with the same settings, for a task that keeps its connection.
    pub(super) fn single_connection(&self) -> PgPool {
        let options = self.pool.options().clone().max_connections(1);
        options.connect_lazy_with((*self.pool.connect_options()).clone())
    }

    /// The largest number of connections that this pool opens.
    pub(super) fn max_connections(&self) -> usize {
        self.slots.most
    }

    /// Acquires a connection: a free connection or a new connection, whichever is available first.
    pub(super) async fn acquire(&self) -> Result<PooledConnection, sqlx::Error> {
        timeout(ACQUIRE_TIMEOUT, self.acquire_slot_and_connection())
            .await
            .unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    async fn acquire_slot_and_connection(&self) -> Result<PooledConnection, sqlx::Error> {
        loop {
            let slot = self.slot().await?;
            match self.pool.acquire().await {
                Ok(connection) => return Ok(PooledConnection::new(connection, slot)),
                // The database or its pooler grants fewer connections than before.
                Err(sqlx::Error::PoolTimedOut) => {
                    slot.forget();
                    self.slots.count.fetch_sub(1, Ordering::Relaxed);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for a free slot.
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

    /// Opens a further connection in the background.
    fn open_one_more(&self, opening: OwnedMutexGuard<()>) {
        let Self { pool, slots } = self.clone();
        connection::in_background(async move {
            if slots.may_open() {
                match pool.acquire().await {
                    Ok(connection) => {
                        slots.count.fetch_add(1, Ordering::Relaxed);
                        connection::return_to_pool(connection, false).await;
                        slots.free.add_permits(1);
                    }
                    Err(error) => {
                        tracing::debug!(error = %chain(&error), "a further connection to the database could not be opened; trying again in a second");
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

/// Runs a single statement on any connection.
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
            let mut connection = pool.acquire().await?;
            let rows: Vec<_> = connection.fetch_many(query).try_collect().await?;
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
        async move { pool.acquire().await?.fetch_optional(query).await }.boxed()
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
        async move { pool.acquire().await?.prepare_with(sql, parameters).await }.boxed()
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, sqlx::Error>> {
        let pool = self.clone();
        async move { pool.acquire().await?.describe(sql).await }.boxed()
    }
}
