//! The state of a batch without its rows, as the status of a batch and an event show it.

use serde::Serialize;

use super::{
    envelope::{Summary, batch_status, progress_percentage, timestamp},
    schedule::GlobalConfig,
};
use crate::{
    http::state::ApiState,
    store::{Batch, BatchPage, RecordFilter, StoreError},
};

/// The state of a batch, with the keys in the order of document 002.
#[derive(Clone, Debug, Serialize)]
pub(in crate::http) struct WholeBatch {
    reference_id: String,
    batch_id: String,
    batch_status: &'static str,
    summary: Summary,
    metadata: Metadata,
}

#[derive(Clone, Debug, Serialize)]
struct Metadata {
    file_name: Option<String>,
    submitted_at: String,
    last_updated_at: String,
    progress_percentage: i64,
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
