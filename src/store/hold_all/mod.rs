//! Hold-all: everything on hold, for every gateway on the database. It consists of one row that every acceptance reads,
//! and of a flag on each operation.
//!
//! An operation is on hold by its own row (`operation.on_hold`), as if an operator had put only this one on hold:
//! claims and attempts check nothing else, and operators release by filter. An operation that is accepted while the
//! hold is active is inserted on hold. Each acceptance takes a shared lock until its commit, and putting everything on
//! hold takes the same lock exclusively for a moment. So each accepted row either exists when the existing operations
//! are put on hold, or is inserted on hold.

mod cover;
mod release;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    Operator, Pool, Store, StoreError, connect,
    patience::{RETRY_PAUSE, WithTimeout},
    pool::Transaction,
};
use crate::domain::OperationId;

pub use self::{
    cover::{Covered, hold_all, keep_on_hold},
    release::{HoldFilter, OnHold, Released},
};

/// The advisory lock. Each acceptance takes it shared, from before it reads the active hold until its commit.
pub(super) const LOCK: i64 = 0x0068_6f6c_645f_616c;

/// How long to wait for acceptances in progress. Postgres ends one that hangs after 10 s.
const MAX_WAIT: Duration = Duration::from_mins(1);

/// An active hold of everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HoldAll {
    #[serde(skip)]
    pub(super) id: i64,
    /// The reason that the operator gave.
    pub reason: String,
    /// Who put everything on hold.
    pub by: String,
    /// The time since when operations are accepted on hold.
    pub since: DateTime<Utc>,
    /// The time since when every operation is on hold; `None` while the existing ones are being put on hold, or if the
    /// process died meanwhile.
    pub covers_all_since: Option<DateTime<Utc>>,
}

/// How many operations of a type are on hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CountOnHold {
    /// The type.
    #[serde(rename = "type")]
    pub operation_type: String,
    /// The number of operations.
    pub count: i64,
}

/// Reads the active hold, if there is one.
pub(super) async fn read_active(pool: &Pool) -> Result<Option<HoldAll>, StoreError> {
    connect::retry_on_broken_connection(pool, || {
        sqlx::query_as!(
            HoldAll,
            r#"SELECT id, reason, held_by AS "by", since, covers_all_since FROM hold_all WHERE ended_at IS NULL"#
        )
        .fetch_optional(pool)
    })
    .or_fail_to("read the active hold of everything")
    .await
}

impl Store {
    /// The active hold of everything, if there is one.
    pub async fn active_hold(&self) -> Result<Option<HoldAll>, StoreError> {
        read_active(&self.pool).await
    }

    /// Whether an operation is on hold, so that nothing may be sent for it.
    pub async fn is_on_hold(&self, id: OperationId) -> Result<bool, StoreError> {
        sqlx::query_scalar!("SELECT on_hold FROM operation WHERE id = $1", id.0)
            .fetch_one(&self.pool)
            .or_fail_to("look whether an operation is on hold")
            .await
    }

    /// How many operations of each type are on hold, whether with everything or singly.
    pub async fn count_on_hold(&self) -> Result<Vec<CountOnHold>, StoreError> {
        sqlx::query_as!(
            CountOnHold,
            r#"SELECT type AS "operation_type", count(*) AS "count!"
                 FROM operation
                WHERE on_hold AND ended_at IS NULL
                GROUP BY type
                ORDER BY type"#
        )
        .fetch_all(&self.pool)
        .or_fail_to("count what is on hold")
        .await
    }

    /// Ends the active hold: operations that are accepted from now on run. What is on hold stays so until it is
    /// released. Returns `None` if no hold was active.
    pub async fn end_hold(
        &self,
        reason: &str,
        operator: &Operator,
    ) -> Result<Option<HoldAll>, StoreError> {
        let mut transaction = begin_exclusively(&self.pool).await?;
        let ended = end_active(&mut transaction, &operator.name, reason)
            .or_fail_to("end a hold of everything")
            .await?;
        transaction
            .commit()
            .or_fail_to("end a hold of everything")
            .await?;
        Ok(ended)
    }
}

async fn end_active(
    transaction: &mut Transaction,
    by: &str,
    reason: &str,
) -> Result<Option<HoldAll>, sqlx::Error> {
    sqlx::query_as!(
        HoldAll,
        r#"UPDATE hold_all
              SET ended_at = now(), ended_by = $1, end_reason = $2
            WHERE ended_at IS NULL
        RETURNING id, reason, held_by AS "by", since, covers_all_since"#,
        by,
        reason
    )
    .fetch_optional(&mut **transaction)
    .await
}

/// Begins a transaction while no acceptance is in progress. It sees all commits of acceptances that did not know of it,
/// and later acceptances see what it commits. Acceptances wait meanwhile, so each try is short.
async fn begin_exclusively(pool: &Pool) -> Result<Transaction, StoreError> {
    const ACTION: &str = "wait for acceptances in progress";
    let give_up = Instant::now() + MAX_WAIT;
    loop {
        let mut transaction = connect::begin_with_short_lock_wait(pool)
            .or_fail_to(ACTION)
            .await?;
        let locked = sqlx::query!("SELECT pg_advisory_xact_lock($1)", LOCK)
            .execute(&mut *transaction)
            .or_fail_to(ACTION)
            .await;
        match locked {
            Ok(_) => return Ok(transaction),
            Err(error) if error.is_lock_timeout() && Instant::now() < give_up => {}
            Err(error) => return Err(error),
        }
        drop(transaction);
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}
