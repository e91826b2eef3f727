//! A connection while it is used, and a transaction on it.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use sqlx::{PgConnection, Postgres, pool::PoolConnection};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout_at},
};

use super::{Pool, aside};

/// How long a connection is given to end what nobody waits for any more, and to show that it is still there.
pub(super) const TAKEN_BACK_WITHIN: Duration = Duration::from_secs(5);

/// A connection that is lent. Dropped, it is taken back: a transaction that has not ended is rolled back, and
/// what is still under way is waited for. Where that takes too long, the connection is closed.
pub(in crate::store) struct Lent {
    /// Taken when it is dropped.
    connection: Option<PoolConnection<Postgres>>,
    slot: Option<OwnedSemaphorePermit>,
    is_in_transaction: bool,
}

impl Lent {
    pub(super) fn new(connection: PoolConnection<Postgres>, slot: OwnedSemaphorePermit) -> Self {
        Self {
            connection: Some(connection),
            slot: Some(slot),
            is_in_transaction: false,
        }
    }
}

const UNTIL_DROPPED: &str = "a connection is there until it is dropped";

#[expect(clippy::expect_used, reason = "it says why it cannot fail")]
impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_deref().expect(UNTIL_DROPPED)
    }
}

#[expect(clippy::expect_used, reason = "it says why it cannot fail")]
impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_deref_mut().expect(UNTIL_DROPPED)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let (connection, slot) = (self.connection.take(), self.slot.take());
        let is_in_transaction = self.is_in_transaction;
        if let Some(connection) = connection {
            aside(async move {
                take_back(connection, is_in_transaction).await;
                drop(slot);
            });
        }
    }
}

/// Gives a connection back to sqlx's pool as soon as it is ready for the next statement, or closes it.
pub(super) async fn take_back(mut connection: PoolConnection<Postgres>, is_in_transaction: bool) {
    let give_up = Instant::now() + TAKEN_BACK_WITHIN;
    if is_in_transaction {
        let rollback = sqlx::raw_sql("ROLLBACK").execute(&mut *connection);
        if !matches!(timeout_at(give_up, rollback).await, Ok(Ok(_))) {
            // Whoever had it next might write into that transaction.
            drop(connection.detach());
            return;
        }
    }
    // What sqlx does when one is dropped, but not for ever: cut short, it closes the connection.
    let ready = timeout_at(give_up, connection.return_to_pool()).await;
    if ready.is_err() {
        tracing::warn!("a connection to the database did not answer, and was closed");
    }
}

/// A transaction. Dropped before its commit, it is rolled back; so is one whose `BEGIN` nobody waited for.
pub(in crate::store) struct Transaction(Lent);

impl Transaction {
    /// Begins one, as `statement` says.
    pub(in crate::store) async fn begin(
        pool: &Pool,
        statement: &'static str,
    ) -> Result<Self, sqlx::Error> {
        let mut lent = pool.lend().await?;
        lent.is_in_transaction = true;
        sqlx::raw_sql(statement).execute(&mut *lent).await?;
        Ok(Self(lent))
    }

    /// Commits it.
    pub(in crate::store) async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.end("COMMIT").await
    }

    /// Rolls it back, and waits until that is done.
    pub(in crate::store) async fn rollback(mut self) -> Result<(), sqlx::Error> {
        self.end("ROLLBACK").await
    }

    async fn end(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(statement).execute(&mut *self.0).await?;
        self.0.is_in_transaction = false;
        Ok(())
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
