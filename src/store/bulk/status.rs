//! Reads the status of a batch and of its rows in one snapshot.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::{Batch, BatchPage, Record, RecordFilter, RowFailure, RowStatus, Summary};
use crate::{
    domain::{IdempotencyKey, OperationId, OperationType, RetryEligible},
    store::{Store, StoreError, connect, patience::WithTimeout},
};

const ACTION: &str = "read the status of a batch";

impl Store {
    /// Reads the status of a batch, and a page of the rows that match the filter: skips the first `offset` rows, and
    /// returns at most `limit`. The summary counts every failure of the batch, so all of these failures are recorded as
    /// read.
    pub async fn batch_page(
        &self,
        batch: &Batch,
        filter: &RecordFilter,
        offset: usize,
        limit: usize,
    ) -> Result<BatchPage, StoreError> {
        let mut snapshot = connect::begin_snapshot(&self.pool)
            .or_fail_to(ACTION)
            .await?;
        let (summary, changed_at) = summarize(&mut snapshot, batch).or_fail_to(ACTION).await?;
        let numbers = select(&mut snapshot, batch, filter).await?;
        let page: Vec<i32> = numbers.iter().skip(offset).take(limit).copied().collect();
        let records = read_records(&mut snapshot, batch.id, &page).await?;
        snapshot.commit().or_fail_to(ACTION).await?;
        if let Some(changed_at) = changed_at.filter(|_| summary.failed > 0) {
            let failed = self.unread_failures(batch, changed_at).await?;
            self.record_failures_read(&failed).await?;
        }
        Ok(BatchPage {
            summary,
            changed_at: changed_at
                .unwrap_or(batch.accepted_at)
                .max(batch.accepted_at),
            matching: numbers.len(),
            records,
        })
    }

    /// Returns the operations of a batch that had failed by the time `by`. Leaves out an operation if its lanes already
    /// record that a caller has read the failure.
    async fn unread_failures(
        &self,
        batch: &Batch,
        by: DateTime<Utc>,
    ) -> Result<Vec<Uuid>, StoreError> {
        sqlx::query_scalar!(
            "SELECT DISTINCT o.id
               FROM batch_row b
               JOIN result r ON r.operation_id = b.operation_id AND r.marked
               JOIN operation o ON o.id = r.operation_id
               JOIN lane l ON l.key IN (o.lane, o.read_lane)
              WHERE b.batch_id = $1 AND o.ended_at <= $2
                AND l.failed_at <= o.ended_at AND NOT l.failure_read",
            batch.id,
            by
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await
    }

    /// Reads the payloads of operations.
    pub async fn payloads(
        &self,
        ids: &[OperationId],
    ) -> Result<HashMap<OperationId, Box<RawValue>>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let rows = sqlx::query!(
            r#"SELECT operation_id AS "operation_id!", data AS "data!: Json<Box<RawValue>>"
                 FROM known_payloads($1)"#,
            &ids
        )
        .fetch_all(&self.pool)
        .or_fail_to("read payloads")
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| (OperationId(row.operation_id), row.data.0))
            .collect())
    }
}

async fn summarize(
    connection: &mut PgConnection,
    batch: &Batch,
) -> Result<(Summary, Option<DateTime<Utc>>), sqlx::Error> {
    sqlx::query!(
        r#"SELECT count(*) AS "total!",
                  count(*) FILTER (WHERE status = 'READY') AS "ready!",
                  count(*) FILTER (WHERE status = 'IN_PROGRESS') AS "in_progress!",
                  count(*) FILTER (WHERE status = 'COMPLETED') AS "completed!",
                  count(*) FILTER (WHERE status = 'FAILED') AS "failed!",
                  count(*) FILTER (WHERE status = 'ARCHIVED') AS "archived!",
                  max(changed_at) AS changed_at
             FROM batch_record
            WHERE batch_id = $1"#,
        batch.id
    )
    .fetch_one(connection)
    .await
    .map(|row| {
        let summary = Summary {
            total: row.total,
            ready: row.ready,
            in_progress: row.in_progress,
            completed: row.completed,
            failed: row.failed,
            archived: row.archived,
        };
        (summary, row.changed_at)
    })
}

/// The numbers of the rows that match the filter, in the order of the file.
async fn select(
    connection: &mut PgConnection,
    batch: &Batch,
    filter: &RecordFilter,
) -> Result<Vec<i32>, StoreError> {
    if filter.status.is_empty() && filter.retry_eligible.is_none() && filter.search.is_none() {
        return Ok((1..=batch.total).collect());
    }
    let statuses: Vec<String> = filter
        .status
        .iter()
        .map(|status| status.as_str().to_owned())
        .collect();
    let (types, codes) = match filter.retry_eligible {
        Some(wanted) => endings(connection, batch, wanted).await?,
        None => Default::default(),
    };
    sqlx::query_scalar!(
        r#"SELECT number AS "number!"
             FROM batch_record
            WHERE batch_id = $1
              AND (cardinality($2::text[]) = 0 OR status = ANY ($2))
              AND (NOT $3 OR EXISTS (SELECT FROM unnest($4::text[], $5::text[]) AS e (type, code)
                                      WHERE e.code = batch_record.code
                                        AND e.type IS NOT DISTINCT FROM batch_record.type))
              AND ($6::text IS NULL OR strpos(
                      lower(concat_ws(chr(10), consent_id, type || '|' || operation_id::text,
                                      substr(lane, strpos(lane, ':') + 1), code, message)),
                      lower($6)) > 0)
            ORDER BY number"#,
        batch.id,
        &statuses,
        filter.retry_eligible.is_some(),
        &types as &[Option<String>],
        &codes,
        filter.search,
    )
    .fetch_all(connection)
    .or_fail_to(ACTION)
    .await
}

/// Returns the pairs of operation type and code of the failed rows of the batch. Only pairs with the wanted value of
/// `retry_eligible` are returned.
async fn endings(
    connection: &mut PgConnection,
    batch: &Batch,
    wanted: RetryEligible,
) -> Result<(Vec<Option<String>>, Vec<String>), StoreError> {
    let endings = sqlx::query!(
        r#"SELECT DISTINCT type, code AS "code!"
             FROM batch_record
            WHERE batch_id = $1 AND code IS NOT NULL"#,
        batch.id
    )
    .fetch_all(connection)
    .or_fail_to(ACTION)
    .await?;
    Ok(endings
        .into_iter()
        .filter(|ending| {
            let operation_type = ending.r#type.as_deref().and_then(OperationType::from_name);
            RetryEligible::of(operation_type, &ending.code) == wanted
        })
        .map(|ending| (ending.r#type, ending.code))
        .unzip())
}

async fn read_records(
    connection: &mut PgConnection,
    batch: Uuid,
    numbers: &[i32],
) -> Result<Vec<Record>, StoreError> {
    sqlx::query!(
        r#"SELECT number AS "number!", operation_id, consent_id, type, status AS "status!", code, message,
                  key_number
             FROM batch_record
            WHERE batch_id = $1 AND number = ANY ($2)
            ORDER BY number"#,
        batch,
        numbers
    )
    .fetch_all(connection)
    .or_fail_to(ACTION)
    .await?
    .into_iter()
    .map(|row| {
        let operation_type = row.r#type.as_deref().and_then(OperationType::from_name);
        let operation_id = row.operation_id.map(OperationId);
        Ok(Record {
            number: row.number,
            consent_id: row.consent_id,
            status: RowStatus::from_name(&row.status)
                .ok_or(StoreError::Unknown { what: "status" })?,
            operation_id,
            operation_type,
            last_key: operation_id
                .zip(row.key_number)
                .map(|(id, number)| IdempotencyKey { id, number }),
            failure: row.code.zip(row.message).map(|(code, message)| RowFailure {
                retry_eligible: RetryEligible::of(operation_type, &code),
                code,
                message,
            }),
        })
    })
    .collect()
}
