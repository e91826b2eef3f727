//! Everything on hold, for every gateway on the database: one row that whoever accepts reads, and a mark on each
//! operation.
//!
//! An operation is on hold by its own row (`operation.held`), as one that an operator holds back: claims and attempts
//! ask for nothing more, and operators release by filter. What is accepted while a hold stands is marked as it is
//! inserted. Whoever accepts shares a lock until its commit that whoever puts on hold takes alone, for a moment: so each
//! accepted row is either there to be marked, or marked already.

mod cover;
mod release;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Asking, Operator, Pool, RETRY_PAUSE, Store, StoreError, connect, pool::Transaction};
use crate::domain::OperationId;

pub use self::{
    cover::{Covered, hold_all, keep_on_hold},
    release::{HoldFilter, OnHold, Released},
};

/// The advisory lock: shared by whoever accepts, from before it reads whether a hold stands until its commit.
pub(super) const LOCK: i64 = 0x0068_6f6c_645f_616c;

/// How long whoever accepts is waited for: one that hangs is ended by Postgres after 10 s.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// A hold of everything that stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HoldAll {
    #[serde(skip)]
    pub(super) id: i64,
    /// Why.
    pub reason: String,
    /// Who did it.
    pub by: String,
    /// From when on what is accepted is on hold.
    pub since: DateTime<Utc>,
    /// From when on everything is; `None`: whoever did it is still at it, or died at it.
    pub covers_all_since: Option<DateTime<Utc>>,
}

/// How many operations of a type are on hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CountOnHold {
    /// The type.
    #[serde(rename = "type")]
    pub operation_type: String,
    /// How many.
    pub count: i64,
}

/// The hold that stands, if one does.
pub(super) async fn standing(pool: &Pool) -> Result<Option<HoldAll>, StoreError> {
    connect::past_broken(pool, || {
        sqlx::query_as!(
            HoldAll,
            r#"SELECT id, reason, held_by AS "by", since, covers_all_since FROM hold_all WHERE ended_at IS NULL"#
        )
        .fetch_optional(pool)
    })
    .or_fail_to("look for a hold of everything")
    .await
}

impl Store {
    /// The hold of everything that stands, if one does.
    pub async fn standing_hold(&self) -> Result<Option<HoldAll>, StoreError> {
        standing(&self.pool).await
    }

    /// Whether an operation is on hold: then nothing is sent for it.
    pub async fn is_on_hold(&self, id: OperationId) -> Result<bool, StoreError> {
        sqlx::query_scalar!("SELECT on_hold FROM operation WHERE id = $1", id.0)
            .fetch_one(&self.pool)
            .or_fail_to("look whether an operation is on hold")
            .await
    }

    /// How many operations are on hold, with everything or each for itself, type by type.
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

    /// Ends the hold that stands: what is accepted from now on runs. What is on hold stays so until it is
    /// released. `None`: no hold stood.
    pub async fn end_hold(
        &self,
        reason: &str,
        operator: &Operator,
    ) -> Result<Option<HoldAll>, StoreError> {
        let mut transaction = begin_alone(&self.pool).await?;
        let ended = end_standing(&mut transaction, &operator.name, reason)
            .or_fail_to("end a hold of everything")
            .await?;
        transaction
            .commit()
            .or_fail_to("end a hold of everything")
            .await?;
        Ok(ended)
    }
}

async fn end_standing(
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

/// Begins a transaction while nobody accepts: it has seen the commits of all that did not know of it, and those that begin
/// later know what it commits. Whoever accepts waits meanwhile, so each try is short.
async fn begin_alone(pool: &Pool) -> Result<Transaction, StoreError> {
    const ACTION: &str = "wait for those who accept";
    let give_up = Instant::now() + LONGEST_WAIT;
    loop {
        let mut transaction = connect::begin_briefly(pool).or_fail_to(ACTION).await?;
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
