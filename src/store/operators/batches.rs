//! The batches of bulk clients, for operators.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::store::{Store, StoreError, patience::WithTimeout};

/// How many batches a list shows.
const LISTED: i64 = 50;

/// A batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedBatch {
    /// The batch.
    pub id: Uuid,
    /// The name of the bulk client.
    pub client: String,
    /// The client's own name for the batch.
    pub reference_id: String,
    /// The name of the file, if the client gave one.
    pub file_name: Option<String>,
    /// How many rows the batch has.
    pub total: i32,
    /// When the gateway accepted the batch.
    pub accepted_at: DateTime<Utc>,
    /// How many rows were refused when the batch was accepted, because the client asked for its valid rows only.
    pub refused: i64,
}

impl Store {
    /// Lists the newest batches, or reads this one.
    pub async fn batches(&self, id: Option<Uuid>) -> Result<Vec<ListedBatch>, StoreError> {
        // The ids of batches begin with the time.
        sqlx::query_as!(
            ListedBatch,
            r#"SELECT b.id, b.client, b.reference_id, b.file_name, b.total, b.accepted_at,
                      (SELECT count(*) FROM batch_row r
                        WHERE r.batch_id = b.id AND r.operation_id IS NULL AND $1::uuid IS NOT NULL) AS "refused!"
                 FROM batch b
                WHERE $1::uuid IS NULL OR b.id = $1
                ORDER BY b.id DESC
                LIMIT $2"#,
            id,
            LISTED
        )
        .fetch_all(&self.pool)
        .or_fail_to("read batches")
        .await
    }
}
