//! Measures the cost of a claim, for the lab.

use std::sync::Arc;

use serde_json::Value;
use sqlx::{AssertSqlSafe, Execute, Row};

use super::{
    Pool, StoreError, claim::statement, claimed::ClaimLimits, connect, due::Due, error::failed_to,
};

/// The cost of a statement according to `EXPLAIN (ANALYZE, BUFFERS)`.
#[derive(Clone, Debug)]
pub struct Cost {
    /// The pages that Postgres read.
    pub buffers: u64,
    /// The execution time in milliseconds, as Postgres prints it.
    pub millis: String,
    /// How many rows the statement returned.
    pub rows: u64,
}

/// The claims of one worker.
#[derive(Clone, Debug)]
pub struct Claims {
    pool: Pool,
    due: Arc<Due>,
}

impl Claims {
    /// The claims of a worker that has claimed nothing yet.
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            due: Arc::default(),
        }
    }

    /// Claims operations as a worker does, and returns how many it claimed. The next call continues the search where
    /// this call stopped.
    pub async fn claim(&self, limits: &ClaimLimits) -> Result<usize, StoreError> {
        let look = self.due.look(limits);
        let rows = statement(limits, &look)
            .fetch_all(&self.pool)
            .await
            .map_err(failed_to("claim operations"))?;
        self.due.record(limits, look, &rows);
        Ok(rows.len())
    }

    /// Runs the next claim on the current queue with `EXPLAIN ANALYZE`, and rolls the claim back. The cost depends on
    /// when one of these claims last searched from the beginning of the queue.
    pub async fn explain_claim(&self, limits: &ClaimLimits) -> Result<Cost, StoreError> {
        const ACTION: &str = "explain the claim";
        let mut claim = statement(limits, &self.due.look(limits));
        let arguments = claim
            .take_arguments()
            .map_err(|error| failed_to(ACTION)(sqlx::Error::Encode(error)))?
            .unwrap_or_default();
        let sql = format!(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {}",
            claim.sql().as_str()
        );
        let mut transaction = connect::begin(&self.pool)
            .await
            .map_err(failed_to(ACTION))?;
        let row = sqlx::query_with(AssertSqlSafe(sql), arguments)
            .fetch_one(&mut *transaction)
            .await
            .map_err(failed_to(ACTION))?;
        transaction.rollback().await.map_err(failed_to(ACTION))?;
        let explained: Value = row.try_get(0).map_err(failed_to(ACTION))?;
        let number = |pointer: &str| {
            let value = explained.pointer(pointer).and_then(Value::as_u64);
            value.ok_or(StoreError::Unknown { what: "plan" })
        };
        let time = explained
            .pointer("/0/Execution Time")
            .ok_or(StoreError::Unknown { what: "plan" })?;
        Ok(Cost {
            buffers: number("/0/Plan/Shared Hit Blocks")? + number("/0/Plan/Shared Read Blocks")?,
            millis: time.to_string(),
            rows: number("/0/Plan/Actual Rows")?,
        })
    }
}
