//! Direct access of `bench` to a queue, without the API and the gateways.

mod archive;
mod fill;
mod history;
mod look;
#[cfg(test)]
mod tests;

use anyhow::Context as _;
use fineract_gateway::store::Pool;
use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};

pub(super) use fineract_gateway::store::Claims;

const LONG: &str = "open a long transaction";

/// The queue in one database.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    pool: PgPool,
}

impl Queue {
    /// The queue in the database of this pool.
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The claims of a new worker.
    pub(super) fn claims(&self) -> Claims {
        Claims::new(Pool::from(self.pool.clone()))
    }

    /// Runs a utility statement such as `VACUUM`, `CHECKPOINT` or `CREATE DATABASE`.
    pub(in crate::bench) async fn run(&self, statement: &str) -> anyhow::Result<()> {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&self.pool)
            .await
            .map(drop)
            .context("run a statement of the bench")
    }

    /// Opens a transaction that stays open until it is dropped, like the transaction of `pg_dump`. Until then, Postgres
    /// removes no row that this transaction can see.
    pub(super) async fn open_long_transaction(
        &self,
    ) -> anyhow::Result<Transaction<'static, Postgres>> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let mut transaction = self.pool.begin_with(begin).await.context(LONG)?;
        sqlx::raw_sql(
            "SET LOCAL idle_in_transaction_session_timeout = 0; SELECT count(*) FROM lane",
        )
        .execute(&mut *transaction)
        .await
        .context(LONG)?;
        Ok(transaction)
    }
}
