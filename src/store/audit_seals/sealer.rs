//! Seals what is committed to the audit. Every gateway runs this task, and one of them at a time seals.

use std::time::Duration;

use tokio::time::sleep;

use super::{ACTION, Seal, newest_seal, rows_between};
use crate::{
    store::{Store, StoreError, connect, patience::WithTimeout},
    telemetry::chain,
};

/// The pause between two passes. What is written meanwhile gets one seal.
const EVERY: Duration = Duration::from_secs(1);
/// The pause between two looks whether the writers have ended.
const PAUSE: Duration = Duration::from_millis(100);
/// How many rows one seal covers at most.
const MOST: i64 = 10_000;

impl Store {
    /// Seals the audit for ever, reports how far it is sealed, and notes its newest seal in the log and for
    /// `/metrics`. Never returns.
    pub async fn run_audit_seals(self) {
        tokio::join!(self.keep_sealing(), self.keep_noting());
    }

    async fn keep_sealing(&self) {
        loop {
            if let Err(error) = self.seal_audit().await {
                tracing::debug!(error = %chain(&error), "the audit could not be sealed; trying again");
            }
            sleep(EVERY).await;
        }
    }

    /// Seals the rows that are committed now, after no older transaction can write a row between them any more.
    async fn seal_audit(&self) -> Result<(), StoreError> {
        let newest = sqlx::query_scalar!(
            "SELECT max(id) FROM audit
              WHERE id > COALESCE((SELECT last_id FROM audit_seal ORDER BY number DESC LIMIT 1), '-9223372036854775808'::bigint)"
        )
        .fetch_one(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        let Some(newest) = newest else { return Ok(()) };
        self.await_writers().await?;
        while self.seal_up_to(newest).await? == MOST {}
        Ok(())
    }

    /// Waits until every transaction has ended that writes to the audit now. A transaction locks the table before it
    /// draws an id, and keeps the lock until everybody sees its rows. So afterwards, nobody can commit an id below
    /// those that were visible before this call.
    async fn await_writers(&self) -> Result<(), StoreError> {
        let mut before = self.writers().await?;
        while !before.is_empty() {
            sleep(PAUSE).await;
            let now = self.writers().await?;
            before.retain(|writer| now.contains(writer));
        }
        Ok(())
    }

    /// The transactions that write to the audit.
    async fn writers(&self) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar!(
            r#"SELECT DISTINCT virtualtransaction AS "writer!"
                 FROM pg_locks
                WHERE locktype = 'relation' AND relation = 'audit'::regclass AND mode = 'RowExclusiveLock' AND granted
                  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"#
        )
        .fetch_all(&self.pool)
        .or_fail_to("look for transactions that write to the audit")
        .await
    }

    /// Writes a seal over the next rows, at most up to this id. Returns over how many; 0 if another gateway is at it,
    /// or has already done it.
    async fn seal_up_to(&self, last: i64) -> Result<i64, StoreError> {
        const ACTION: &str = "seal the audit";
        let mut transaction = connect::begin(&self.pool).or_fail_to(ACTION).await?;
        let turn = sqlx::query!(
            r#"SELECT pg_try_advisory_xact_lock(x'7365616c73'::bigint) AS "is_ours!",
                      to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "at!""#
        )
        .fetch_one(&mut *transaction)
        .or_fail_to(ACTION)
        .await?;
        if !turn.is_ours {
            return Ok(0);
        }
        let previous = newest_seal(&mut *transaction).await?;
        let after = previous.as_ref().map_or(i64::MIN, |seal| seal.last_id);
        let rows = rows_between(&mut transaction, after, last, MOST).await?;
        let row_count = i32::try_from(rows.len()).unwrap_or(i32::MAX);
        let Some(newest) = rows.last() else {
            return Ok(0);
        };
        let mut seal = Seal {
            number: previous.as_ref().map_or(1, |seal| seal.number + 1),
            previous: previous.map(|seal| seal.hash),
            at: turn.at,
            last_id: newest.id,
            row_count,
            hash: String::new(),
        };
        seal.hash = seal.hash_over(&rows);
        sqlx::query!(
            "INSERT INTO audit_seal (number, previous, at, last_id, row_count, hash)
             VALUES ($1, $2, $3::text::timestamptz, $4, $5, $6)",
            seal.number,
            seal.previous,
            seal.at,
            seal.last_id,
            seal.row_count,
            seal.hash
        )
        .execute(&mut *transaction)
        .or_fail_to(ACTION)
        .await?;
        transaction.commit().or_fail_to(ACTION).await?;
        Ok(row_count.into())
    }
}
