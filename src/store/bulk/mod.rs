//! Batches: many operations that are accepted in one transaction, and the status of each of their rows.
//!
//! A row refers to the operation that runs it. The gateway keeps no counters and no copies: the view `batch_record`
//! derives the status of a row from its operation. A retry makes the row refer to the new operation.

mod accept;
mod cancel;
mod candidates;
mod record;
mod retry;
mod status;

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use uuid::Uuid;

pub use self::{
    accept::{BatchAccepted, NewBatch, NewRow, RefusedRow, RowContent},
    candidates::Candidate,
    record::{BatchPage, Record, RecordFilter, RowFailure, RowStatus, Summary},
    retry::Retry,
};
use super::{BodyDigest, Store, StoreError, patience::WithTimeout};

/// A batch, as it was accepted.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The id.
    pub id: Uuid,
    /// The client's own name for the batch (`reference_id`).
    pub reference_id: String,
    /// SHA-256 of the body's bytes.
    digest: Vec<u8>,
    /// SHA-256 of the body's JSON value.
    value_digest: Option<Vec<u8>>,
    /// The name of the uploaded file, as the client gave it.
    pub file_name: Option<String>,
    /// JSON from the client, which the gateway returns unchanged.
    pub global_config: Option<Box<RawValue>>,
    /// How many rows the batch has.
    pub total: i32,
    /// When the gateway accepted the batch.
    pub accepted_at: DateTime<Utc>,
}

impl Batch {
    /// Whether the batch was uploaded with this body.
    pub fn is_of(&self, body: BodyDigest) -> bool {
        body.is_of_same(&self.digest, self.value_digest.as_deref())
    }
}

impl Store {
    /// Reads the batch of this client that has this `reference_id`. A client cannot read another client's batch.
    pub async fn batch(
        &self,
        client: &str,
        reference_id: &str,
    ) -> Result<Option<Batch>, StoreError> {
        let row = sqlx::query!(
            "SELECT id, reference_id, digest, value_digest, file_name, global_config::text, total, accepted_at
               FROM batch
              WHERE client = $1 AND reference_id = $2",
            client,
            reference_id
        )
        .fetch_optional(&self.pool)
        .or_fail_to("read a batch")
        .await?;
        Ok(row.map(|row| Batch {
            id: row.id,
            reference_id: row.reference_id,
            digest: row.digest,
            value_digest: row.value_digest,
            file_name: row.file_name,
            global_config: row
                .global_config
                .and_then(|text| RawValue::from_string(text).ok()),
            total: row.total,
            accepted_at: row.accepted_at,
        }))
    }
}
