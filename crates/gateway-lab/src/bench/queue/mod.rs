//! What `bench` puts into a queue and reads of it, past the API and past the gateways.

mod fill;
mod look;
#[cfg(test)]
mod tests;

use anyhow::Context as _;
use fineract_gateway::store::Pool;
use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};

pub(super) use fineract_gateway::store::Claims;

const LONG: &str = "open a long transaction";

/// A queue that is filled to be measured.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    pool: PgPool,
}

impl Queue {
    /// The queue of this pool's database.
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Its claims, of a worker that has claimed nothing yet.
    pub(super) fn claims(&self) -> Claims {
        Claims::new(Pool::from(self.pool.clone()))
    }

    /// Runs a statement that is no query: `VACUUM`, `CHECKPOINT`, `CREATE DATABASE`.
    pub(in crate::bench) async fn run(&self, statement: &str) -> anyhow::Result<()> {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&self.pool)
            .await
            .map(drop)
            .context("run a statement of the bench")
    }

    /// Opens a transaction that stays open until it is dropped, as that of `pg_dump` does: Postgres removes nothing that
    /// was there when it began.
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
