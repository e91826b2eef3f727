//! What `bench` puts into a queue and reads of it, past the API and past the gateways.

mod fill;
mod look;

use std::{fmt, sync::Arc};

use sqlx::AssertSqlSafe;

use super::{Pool, StoreError, due::Due, failed_to, pool::Transaction};

pub use self::look::Cost;

/// A transaction of somebody else's that is open: Postgres removes nothing that was there when it began. It ends when this
/// is dropped.
#[expect(dead_code, reason = "it is held")]
pub struct LongTransaction(Transaction);

impl fmt::Debug for LongTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LongTransaction").finish_non_exhaustive()
    }
}

/// A queue that is filled to be measured.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    pool: Pool,
    due: Arc<Due>,
}

impl Rehearsal {
    /// The queue of this pool's database.
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            due: Arc::default(),
        }
    }

    /// The same queue, for who has claimed nothing yet.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self::new(self.pool.clone())
    }

    /// Runs a statement that is no query: `VACUUM`, `CHECKPOINT`, `CREATE DATABASE`.
    pub async fn run(&self, statement: &str) -> Result<(), StoreError> {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(failed_to("run a statement of the bench"))
    }

    /// Opens a transaction that stays open, as that of `pg_dump` does.
    pub async fn open_long_transaction(&self) -> Result<LongTransaction, StoreError> {
        const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
                             SET LOCAL idle_in_transaction_session_timeout = 0;
                             SELECT count(*) FROM lane";
        let transaction = Transaction::begin(&self.pool, BEGIN)
            .await
            .map_err(failed_to("open a long transaction"))?;
        Ok(LongTransaction(transaction))
    }
}
