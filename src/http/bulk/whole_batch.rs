//! The state of a batch without its rows, as the status of a batch and an event show it.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    envelope::{Summary, batch_status, progress_percentage, timestamp},
    schedule::GlobalConfig,
};
use crate::{
    http::state::ApiState,
    store::{Batch, BatchPage, RecordFilter, RowStatus, StoreError},
};

/// The state of a batch, with the keys in the order of document 002.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(rename = "BatchState")]
pub(in crate::http) struct WholeBatch {
    /// The client's name for the batch.
    reference_id: String,
    /// The gateway's id of the batch.
    batch_id: String,
    /// The status of the batch.
    #[schemars(extend("enum" = RowStatus::ALL.map(RowStatus::as_str)))]
    batch_status: &'static str,
    /// How many rows have each status.
    summary: Summary,
    /// What else is known of the batch.
    metadata: Metadata,
}

/// What else is known of a batch.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[schemars(rename = "BatchMetadata")]
struct Metadata {
    /// The name of the client's file.
    file_name: Option<String>,
    /// When the batch was accepted (UTC).
    submitted_at: String,
    /// When a row last changed (UTC).
    last_updated_at: String,
    /// The share of the rows that have ended, rounded down.
    progress_percentage: i64,
    /// The settings that the client sent.
    global_config: GlobalConfig,
}

impl WholeBatch {
    pub(super) fn of(batch: &Batch, page: &BatchPage) -> Self {
        let config = batch.global_config.as_ref();
        let config = config.and_then(|config| serde_json::from_str(config.get()).ok());
        Self {
            reference_id: batch.reference_id.clone(),
            batch_id: batch.id.to_string(),
            batch_status: batch_status(page.summary, page.has_changed(batch)),
            summary: page.summary.into(),
            metadata: Metadata {
                file_name: batch.file_name.clone(),
                submitted_at: timestamp(batch.accepted_at),
                last_updated_at: timestamp(page.changed_at),
                progress_percentage: progress_percentage(page.summary),
                global_config: config.unwrap_or_default(),
            },
        }
    }

    /// Reads the state of the batch of this client with this `reference_id`.
    pub(in crate::http) async fn read(
        api: &ApiState,
        client: &str,
        reference_id: &str,
    ) -> Result<Option<Self>, StoreError> {
        let Some(batch) = api.store.batch(client, reference_id).await? else {
            return Ok(None);
        };
        let no_rows = RecordFilter::default();
        let page = api.store.batch_page(&batch, &no_rows, 0, 0).await?;
        Ok(Some(Self::of(&batch, &page)))
    }
}
