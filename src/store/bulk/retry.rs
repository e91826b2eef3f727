//! Retries failed rows. Each row runs again as a new operation, and then refers to the new operation.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::{Batch, RowFailure, accept::is_accepted};
use crate::{
    domain::{OperationId, OperationType, RetryEligible},
    store::{
        NewOperation, Store, StoreError, accept::insert_operations, connect, failures_read, lanes,
        patience::WithTimeout,
    },
};

const ACTION: &str = "send rows again";

/// A row that is considered for a retry.
#[derive(Debug)]
pub struct Candidate {
    /// The row's number in the file, from 1.
    pub number: i32,
    /// The row's operation; `None` if the gateway refused the row at acceptance.
    pub operation_id: Option<OperationId>,
    /// The operation type, if it is known.
    pub operation_type: Option<OperationType>,
    /// The payload, if it was ever valid.
    pub payload: Option<Box<RawValue>>,
    /// If the payload is missing: the fields that named clients, loans and payments when the row was refused.
    pub names: Vec<(String, String)>,
    /// Why the row failed; `None` if it has not failed.
    pub failure: Option<RowFailure>,
    /// The failed operation on which the row's operation depended. `None` if the row's operation did not fail as a
    /// dependent, or if the operation on which it depended has already been run again.
    pub failed_with: Option<OperationId>,
    /// The time until which the row's operation could be sent.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether `expires_at` has passed, by the database's clock.
    pub is_past_expiry: bool,
}

/// A failed row, and the new operation that replaces its failed operation.
#[derive(Debug)]
pub struct Retry {
    /// The row's number in the file, from 1.
    pub number: i32,
    /// The operation to replace, to which the row referred when it was read; `None` if the gateway refused the row at
    /// acceptance.
    pub failed: Option<OperationId>,
    /// The new operation.
    pub operation: NewOperation,
}

impl Store {
    /// Reads the rows of a batch with the given numbers. If `numbers` is `None`, reads all failed rows. The rows are in
    /// the order of the file.
    pub async fn retry_candidates(
        &self,
        batch: &Batch,
        numbers: Option<&[i32]>,
    ) -> Result<Vec<Candidate>, StoreError> {
        let rows = sqlx::query!(
            r#"WITH chosen AS MATERIALIZED (
                   SELECT * FROM batch_record
                    WHERE batch_id = $1
                      AND CASE WHEN $2::int[] IS NULL THEN status = 'FAILED' ELSE number = ANY ($2) END
               ), ids AS MATERIALIZED (
                   SELECT COALESCE(array_agg(operation_id), '{}') AS ids FROM chosen
               )
               SELECT b.number AS "number!", b.operation_id, b.type, b.code, b.message,
                      COALESCE(p.data, r.data) AS "data: Json<Box<RawValue>>",
                      r.names AS "names: Json<BTreeMap<String, String>>",
                      CASE WHEN NOT EXISTS (SELECT FROM known_retry again WHERE again.retry_of = f.failed_with)
                           THEN f.failed_with END AS failed_with,
                      e.expires_at AS "expires_at?", COALESCE(e.expires_at <= now(), false) AS "is_past_expiry!"
                 FROM chosen b
                 JOIN batch_row r ON r.batch_id = b.batch_id AND r.number = b.number
                 LEFT JOIN known_payloads((SELECT ids FROM ids)) p ON p.operation_id = b.operation_id
                 LEFT JOIN known_operations((SELECT ids FROM ids)) o ON o.id = b.operation_id
                 LEFT JOIN known_results((SELECT ids FROM ids)) f ON f.operation_id = b.operation_id
                CROSS JOIN LATERAL (SELECT CASE WHEN o.id IS NULL THEN r.expires_at ELSE o.expires_at END) AS e (expires_at)
                ORDER BY b.number"#,
            batch.id,
            numbers as Option<&[i32]>
        )
        .fetch_all(&self.pool)
        .or_fail_to("read failed rows")
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let operation_type = row.r#type.as_deref().and_then(OperationType::from_name);
                Candidate {
                    number: row.number,
                    operation_id: row.operation_id.map(OperationId),
                    operation_type,
                    payload: row.data.map(|data| data.0),
                    failed_with: row.failed_with.map(OperationId),
                    names: row.names.into_iter().flat_map(|names| names.0).collect(),
                    expires_at: row.expires_at,
                    is_past_expiry: row.is_past_expiry,
                    failure: row.code.zip(row.message).map(|(code, message)| RowFailure {
                        retry_eligible: RetryEligible::of(operation_type, &code),
                        code,
                        message,
                    }),
                }
            })
            .collect())
    }

    /// Accepts the operations at the tails of their lanes, in the given order, and makes each row refer to its new
    /// operation. Returns the numbers of the rows whose operation was replaced. A row is skipped if it no longer refers
    /// to the operation to replace. So if two retries run at the same time, only one of them replaces the operation of
    /// a row.
    pub async fn retry_rows(
        &self,
        batch: &Batch,
        retries: &[Retry],
    ) -> Result<BTreeSet<i32>, StoreError> {
        let failed: Vec<Uuid> = retries
            .iter()
            .filter_map(|retry| retry.failed.map(|id| id.0))
            .collect();
        let keys = self.lanes_of(retries, &failed).await?;
        let mut transaction = connect::begin(&self.pool).or_fail_to(ACTION).await?;
        lanes::lock(&mut transaction, &keys)
            .or_fail_to(ACTION)
            .await?;
        let current = lock_rows(&mut transaction, batch, retries)
            .or_fail_to(ACTION)
            .await?;
        let taken: Vec<&Retry> = retries
            .iter()
            .filter(|retry| {
                current.get(&retry.number).copied() == Some(retry.failed.map(|id| id.0))
            })
            .collect();
        // Otherwise the new operations would fail as dependents of the failures that they are meant to correct.
        failures_read::record(&mut transaction, &failed, &keys)
            .or_fail_to(ACTION)
            .await?;
        let operations: Vec<&NewOperation> = taken.iter().map(|retry| &retry.operation).collect();
        let transaction_id = connect::id_of(&mut transaction).or_fail_to(ACTION).await?;
        let effects = insert_operations(&mut transaction, &operations)
            .or_fail_to(ACTION)
            .await?;
        point_refused_rows(&mut transaction, batch, &taken)
            .or_fail_to(ACTION)
            .await?;
        if let Err(error) = transaction.commit().or_fail_to(ACTION).await
            && !is_accepted(&self.pool, &transaction_id, &operations).await?
        {
            return Err(error);
        }
        effects.notify(&self.notifier);
        Ok(taken.iter().map(|retry| retry.number).collect())
    }

    /// Returns the lanes of the failed operations and of the new operations. First creates the lanes that do not exist
    /// yet, so that all of them can be locked in the order of their keys.
    async fn lanes_of(
        &self,
        retries: &[Retry],
        failed: &[Uuid],
    ) -> Result<Vec<String>, StoreError> {
        let new: BTreeSet<String> = retries
            .iter()
            .flat_map(|retry| {
                let lanes = &retry.operation.checked.lanes;
                std::iter::once(&lanes.writes).chain(&lanes.reads)
            })
            .map(|lane| lane.as_str().to_owned())
            .collect();
        let new: Vec<String> = new.into_iter().collect();
        sqlx::query!(
            "INSERT INTO lane (key) SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING",
            &new
        )
        .execute(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        let old = sqlx::query!(
            r#"SELECT lane AS "lane!", read_lane FROM known_operations($1)"#,
            failed
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        let old = old
            .into_iter()
            .flat_map(|row| std::iter::once(row.lane).chain(row.read_lane));
        let keys: BTreeSet<String> = old.chain(new).collect();
        Ok(keys.into_iter().collect())
    }
}

/// Locks the rows that are to be retried. Returns their numbers and the operations to which they refer now.
async fn lock_rows(
    connection: &mut PgConnection,
    batch: &Batch,
    retries: &[Retry],
) -> Result<HashMap<i32, Option<Uuid>>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT number, operation_id
           FROM batch_row
          WHERE batch_id = $1 AND number = ANY ($2)
          ORDER BY number
            FOR NO KEY UPDATE",
        batch.id,
        &retries.iter().map(|retry| retry.number).collect::<Vec<_>>()
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.number, row.operation_id))
        .collect())
}

/// Makes rows that were refused at acceptance refer to their first operation.
async fn point_refused_rows(
    connection: &mut PgConnection,
    batch: &Batch,
    taken: &[&Retry],
) -> Result<(), sqlx::Error> {
    let refused: Vec<_> = taken
        .iter()
        .filter(|retry| retry.failed.is_none())
        .collect();
    sqlx::query!(
        "UPDATE batch_row r
            SET operation_id = n.id, type = NULL, lane = NULL, data = NULL, names = NULL, expires_at = NULL,
                code = NULL, message = NULL
           FROM unnest($2::int[], $3::uuid[]) AS n (number, id)
          WHERE r.batch_id = $1 AND r.number = n.number",
        batch.id,
        &refused.iter().map(|retry| retry.number).collect::<Vec<_>>(),
        &refused.iter().map(|retry| retry.operation.id.0).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await
    .map(drop)
}
