//! Batches: many operations accepted as one, and where each of their rows stands.
//!
//! A row points to the operation that runs it. Nothing is counted or copied: a row's status is read from
//! its operation (the view `batch_record`), and a retry makes the row point to the new operation.

mod accept;
mod cancel;
mod record;
mod retry;
mod status;

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use uuid::Uuid;

pub use self::{
    accept::{BatchAccepted, NewBatch, NewRow, RefusedRow, RowContent},
    record::{BatchPage, Record, RecordFilter, RowFailure, RowStatus, Summary},
    retry::{Candidate, Retry},
};
use super::{Asking, BodyDigest, Store, StoreError};

/// A batch, as it was accepted.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Its id.
    pub id: Uuid,
    /// Its client's own name for it.
    pub reference_id: String,
    /// SHA-256 of its body.
    digest: Vec<u8>,
    /// SHA-256 of what that says.
    value_digest: Option<Vec<u8>>,
    /// The file's name, as it was given.
    pub file_name: Option<String>,
    /// What was given to be kept, as JSON.
    pub global_config: Option<Box<RawValue>>,
    /// How many rows it has.
    pub total: i32,
    /// When it was accepted.
    pub accepted_at: DateTime<Utc>,
}

impl Batch {
    /// Whether it came with this body.
    pub fn is_of(&self, body: BodyDigest) -> bool {
        body.is_of_same(&self.digest, self.value_digest.as_deref())
    }
}

impl Store {
    /// The batch that this client calls so, if there is one; nobody sees another's.
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
