//! Hold-all: everything is on hold, for every gateway on the database. A hold-all consists of one row in the table
//! `hold_all`, which every acceptance reads, and of a flag on each operation.
//!
//! The flag is the column `operation.on_hold`. An operator who puts a single operation on hold sets the same flag.
//! Claims and attempts check only this flag, and operators release operations by filter. An operation that is accepted
//! while a hold-all is active is inserted on hold. Each acceptance holds a shared lock until its commit, and the
//! transaction that begins a hold-all takes the same lock exclusively for a moment. So each accepted operation either
//! exists when the existing operations are put on hold, or is inserted on hold.

mod cover;
mod release;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::{
    Action, Operator, Pool, Store, StoreError, connect,
    patience::{RETRY_PAUSE, WithTimeout},
    pool::Transaction,
};
use crate::domain::OperationId;

pub use self::{
    cover::{Covered, hold_all, keep_on_hold},
    release::{HoldFilter, Released},
};

/// The key of the advisory lock. Each acceptance holds this lock in shared mode, from before it reads the active
/// hold-all until its commit.
pub(super) const LOCK: i64 = 0x0068_6f6c_645f_616c;

/// How long to wait for acceptances in progress. Postgres ends an acceptance that hangs after 10 s.
const MAX_WAIT: Duration = Duration::from_mins(1);

/// An active hold-all.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct HoldAll {
    #[serde(skip)]
    pub(super) id: i64,
    /// The reason that the operator gave.
    pub reason: String,
    /// Who put everything on hold.
    pub by: String,
    /// When the hold-all began. Operations that are accepted after this time are on hold.
    pub since: DateTime<Utc>,
    /// When every existing operation was on hold; `None` while the existing operations are being put on hold, or if the
    /// process died before all of them were on hold.
    pub covers_all_since: Option<DateTime<Utc>>,
}

/// How many operations of a type are on hold.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct CountOnHold {
    /// The type.
    #[serde(rename = "type")]
    pub operation_type: String,
    /// The number of operations.
    pub count: i64,
}

/// Reads the active hold-all, if there is one.
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
    /// Returns the active hold-all, if there is one.
    pub async fn active_hold(&self) -> Result<Option<HoldAll>, StoreError> {
        read_active(&self.pool).await
    }

    /// Whether an operation is on hold. Nothing may be sent for an operation on hold.
    pub async fn is_on_hold(&self, id: OperationId) -> Result<bool, StoreError> {
        sqlx::query_scalar!("SELECT on_hold FROM operation WHERE id = $1", id.0)
            .fetch_one(&self.pool)
            .or_fail_to("look whether an operation is on hold")
            .await
    }

    /// How many operations of each type are on hold, individually or by hold-all.
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

    /// Ends the active hold-all. Operations that are accepted after this run normally. Operations that are on hold stay
    /// on hold until they are released. Returns `None` if no hold-all was active.
    pub async fn end_hold(
        &self,
        reason: &str,
        operator: &Operator,
    ) -> Result<Option<HoldAll>, StoreError> {
        let mut transaction = begin_exclusively(&self.pool).await?;
        let ended = end_active(&mut transaction, &operator.name, reason)
            .or_fail_to("end a hold of everything")
            .await?;
        if let Some(hold) = &ended {
            let detail = json!({ "hold_all": hold.id });
            operator
                .record_for_all(&mut transaction, Action::EndHold, detail)
                .await?;
        }
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

/// Begins a transaction when no acceptance is in progress. New acceptances wait until the transaction ends. So the
/// transaction sees all operations that were accepted before it, and later acceptances see what the transaction
/// commits. Acceptances also wait while the transaction waits for its lock, so each try is short.
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
