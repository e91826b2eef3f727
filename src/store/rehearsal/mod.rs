//! What `bench` puts into a queue and reads of it, past the API and past the gateways.

mod fill;
mod look;

use sqlx::AssertSqlSafe;

use super::{Pool, StoreError, failed_to};

pub use self::look::Cost;

/// A queue that is filled to be measured.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    pool: Pool,
}

impl Rehearsal {
    /// The queue of this pool's database.
    pub fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Runs a statement that is no query: `VACUUM`, `CHECKPOINT`, `CREATE DATABASE`.
    pub async fn run(&self, statement: &str) -> Result<(), StoreError> {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(failed_to("run a statement of the bench"))
    }
}
