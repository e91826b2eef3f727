//! A connection while it is in use, and a transaction on it.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use sqlx::{PgConnection, Postgres, pool::PoolConnection};
use tokio::{
    runtime::Handle,
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout_at},
};

/// The time limit for a connection that is returned to the pool. Within this time, the connection must finish a
/// statement for which nobody waits any more, and show that it still works.
pub(super) const RETURN_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection in use. When this value is dropped, the connection returns to the pool. Before this, an open
/// transaction is rolled back, and a statement in progress is awaited. If this takes too long, the connection is
/// closed.
pub(in crate::store) struct PooledConnection {
    /// `Some` until `drop` takes the connection.
    connection: Option<PoolConnection<Postgres>>,
    slot: Option<OwnedSemaphorePermit>,
    is_in_transaction: bool,
}

impl PooledConnection {
    pub(super) fn new(connection: PoolConnection<Postgres>, slot: OwnedSemaphorePermit) -> Self {
        Self {
            connection: Some(connection),
            slot: Some(slot),
            is_in_transaction: false,
        }
    }
}

const UNTIL_DROPPED: &str = "the connection is present until the drop";

#[expect(clippy::expect_used, reason = "the message states why it cannot fail")]
impl Deref for PooledConnection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_deref().expect(UNTIL_DROPPED)
    }
}

#[expect(clippy::expect_used, reason = "the message states why it cannot fail")]
impl DerefMut for PooledConnection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_deref_mut().expect(UNTIL_DROPPED)
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        let (connection, slot) = (self.connection.take(), self.slot.take());
        let is_in_transaction = self.is_in_transaction;
        if let Some(connection) = connection {
            in_background(async move {
                return_to_pool(connection, is_in_transaction).await;
                drop(slot);
            });
        }
    }
}

/// Returns a connection to sqlx's pool as soon as the connection is ready for the next statement. If this takes too
/// long, closes the connection.
pub(super) async fn return_to_pool(
    mut connection: PoolConnection<Postgres>,
    is_in_transaction: bool,
) {
    let give_up = Instant::now() + RETURN_TIMEOUT;
    if is_in_transaction {
        let rollback = sqlx::raw_sql("ROLLBACK").execute(&mut *connection);
        if !matches!(timeout_at(give_up, rollback).await, Ok(Ok(_))) {
            // Close the connection. Otherwise its next user might write into the open transaction.
            drop(connection.detach());
            return;
        }
    }
    // sqlx also returns a dropped connection to its pool, but without a time limit. If this future is dropped, sqlx
    // closes the connection.
    let ready = timeout_at(give_up, connection.return_to_pool()).await;
    if ready.is_err() {
        tracing::warn!("a connection to the database did not answer and was closed");
    }
}

/// A transaction. It is rolled back if it is dropped before its commit, or while its `BEGIN` is in progress.
pub(in crate::store) struct Transaction(PooledConnection);

impl Transaction {
    /// Begins a transaction with this statement on a connection.
    pub(in crate::store) async fn begin(
        mut connection: PooledConnection,
        statement: &'static str,
    ) -> Result<Self, sqlx::Error> {
        connection.is_in_transaction = true;
        sqlx::raw_sql(statement).execute(&mut *connection).await?;
        Ok(Self(connection))
    }

    /// Commits the transaction.
    pub(in crate::store) async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.end("COMMIT").await
    }

    /// Rolls the transaction back and waits until the rollback is done.
    pub(in crate::store) async fn rollback(mut self) -> Result<(), sqlx::Error> {
        self.end("ROLLBACK").await
    }

    async fn end(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        self.execute(statement).await?;
        self.0.is_in_transaction = false;
        Ok(())
    }

    /// Executes statements that have no parameters and whose rows nobody needs.
    pub(in crate::store) async fn execute(
        &mut self,
        statements: &'static str,
    ) -> Result<(), sqlx::Error> {
        let executing = sqlx::raw_sql(statements).execute(&mut *self.0);
        executing.await.map(drop)
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}

/// Runs a task in the background. The task must end within seconds.
#[expect(
    clippy::disallowed_methods,
    reason = "it ends within seconds by itself; shutdown need not wait for it"
)]
pub(super) fn in_background(task: impl Future<Output = ()> + Send + 'static) {
    // If the runtime has ended, the connections are closed too.
    if Handle::try_current().is_ok() {
        tokio::spawn(task);
    }
}
