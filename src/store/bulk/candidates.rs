//! Reads the rows of a batch that may be retried.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Batch, RowFailure};
use crate::{
    domain::{OperationId, OperationType, RetryEligible},
    store::{Store, StoreError, patience::WithTimeout},
};

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
    /// Whether people's data in the payload was erased, so that it cannot be sent again.
    pub is_erased: bool,
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

impl Candidate {
    /// Whether the data of the row's operation was dropped because of its age.
    pub fn is_dropped(&self) -> bool {
        self.operation_id.is_some() && self.payload.is_none()
    }
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
            r#"SELECT b.number AS "number!", b.operation_id, b.type, b.code, b.message,
                      COALESCE(p.data, r.data) AS "data: Json<Box<RawValue>>",
                      COALESCE(p.erased_at, r.erased_at) IS NOT NULL AS "is_erased!",
                      r.names AS "names: Json<BTreeMap<String, String>>",
                      CASE WHEN NOT EXISTS (SELECT FROM known_retry again WHERE again.retry_of = f.failed_with)
                           THEN f.failed_with END AS failed_with,
                      e.expires_at AS "expires_at?", COALESCE(e.expires_at <= now(), false) AS "is_past_expiry!"
                 FROM batch_record b
                -- OFFSET 0: row by row, by the primary key. Joined to the parts of the view, it may be scanned for each row.
                CROSS JOIN LATERAL (SELECT * FROM batch_row
                                     WHERE batch_id = b.batch_id AND number = b.number OFFSET 0) r
                 LEFT JOIN payload p ON p.operation_id = b.operation_id
                 LEFT JOIN operation o ON o.id = b.operation_id
                 LEFT JOIN result f ON f.operation_id = b.operation_id
                CROSS JOIN LATERAL (SELECT CASE WHEN o.id IS NULL THEN r.expires_at ELSE o.expires_at END) AS e (expires_at)
                WHERE b.batch_id = $1
                  AND CASE WHEN $2::int[] IS NULL THEN b.status = 'FAILED' ELSE b.number = ANY ($2) END
                ORDER BY b.number"#,
            batch.id,
            numbers as Option<&[i32]>
        )
        .fetch_all(&self.pool)
        .or_fail_to("read failed rows")
        .await?;
        let candidates = rows.into_iter().map(|row| {
            let operation_type = row.r#type.as_deref().and_then(OperationType::from_name);
            Candidate {
                number: row.number,
                operation_id: row.operation_id.map(OperationId),
                operation_type,
                payload: row.data.map(|data| data.0),
                is_erased: row.is_erased,
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
        });
        let mut candidates: Vec<Candidate> = candidates.collect();
        self.add_archived(&mut candidates).await?;
        Ok(candidates)
    }

    /// Adds what the archive has of the operations that are no longer in the hot tables.
    async fn add_archived(&self, candidates: &mut [Candidate]) -> Result<(), StoreError> {
        let not_hot = candidates
            .iter_mut()
            .filter(|candidate| candidate.payload.is_none());
        let mut not_hot: HashMap<Uuid, &mut Candidate> = not_hot
            .filter_map(|candidate| Some((candidate.operation_id?.0, candidate)))
            .collect();
        if not_hot.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = not_hot.keys().copied().collect();
        let rows = sqlx::query!(
            r#"SELECT o.id AS "id!", p.data AS "data!: Json<Box<RawValue>>", p.erased_at IS NOT NULL AS "is_erased!",
                      o.expires_at, COALESCE(o.expires_at <= now(), false) AS "is_past_expiry!",
                      CASE WHEN NOT EXISTS (SELECT FROM known_retry again WHERE again.retry_of = f.failed_with)
                           THEN f.failed_with END AS failed_with
                 FROM archived_operations($1) o
                 JOIN archived_payloads($1) p ON p.operation_id = o.id
                 LEFT JOIN archived_results($1) f ON f.operation_id = o.id"#,
            &ids
        )
        .fetch_all(&self.pool)
        .or_fail_to("read archived rows")
        .await?;
        for row in rows {
            if let Some(candidate) = not_hot.remove(&row.id) {
                candidate.payload = Some(row.data.0);
                candidate.is_erased = row.is_erased;
                candidate.expires_at = row.expires_at;
                candidate.is_past_expiry = row.is_past_expiry;
                candidate.failed_with = row.failed_with.map(OperationId);
            }
        }
        Ok(())
    }
}
