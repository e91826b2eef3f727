//! The envelope of document 002, with the keys in the order of the document.

use axum::Json;
use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    http::observe::RequestId,
    store::{Batch, BatchPage, RowStatus, Summary as Counts},
    telemetry::wall_clock,
};

pub(super) const VERSION: &str = "1.0";

/// The envelope of a success.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "{T}Envelope")]
pub(in crate::http) struct Envelope<T> {
    /// The version of this envelope.
    ver: &'static str,
    /// When the gateway answered (UTC).
    timestamp: String,
    /// The id of the request, as in the gateway's log.
    txnid: String,
    /// Always `success`.
    status: &'static str,
    /// A sentence about the answer.
    message: &'static str,
    /// The answer.
    data: T,
}

impl<T: Serialize> Envelope<T> {
    /// Wraps an answer. `txnid` is the id of the request, as in the log.
    pub(super) fn success(request_id: &RequestId, message: &'static str, data: T) -> Json<Self> {
        Json(Self {
            ver: VERSION,
            timestamp: timestamp(wall_clock()),
            txnid: request_id.0.to_string(),
            status: "success",
            message,
            data,
        })
    }
}

/// A time in the format of the document.
pub(super) fn timestamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The number of rows in each status.
#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
#[schemars(rename = "BatchSummary")]
pub(super) struct Summary {
    /// All rows.
    total: i64,
    /// Accepted, nothing sent yet.
    ready: i64,
    /// Sent to Fineract, or parked until a person decides.
    in_progress: i64,
    /// Ended with its effect.
    completed: i64,
    /// Ended without an effect.
    failed: i64,
    /// Ended long ago: their data was dropped, and with it how they ended. Missing if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    archived: Option<i64>,
}

impl From<Counts> for Summary {
    fn from(counts: Counts) -> Self {
        Self {
            total: counts.total,
            ready: counts.ready,
            in_progress: counts.in_progress,
            completed: counts.completed,
            failed: counts.failed,
            archived: Some(counts.archived).filter(|count| *count > 0),
        }
    }
}

/// The status of a batch. If any row has changed since the acceptance of the batch, the status is no longer `READY`,
/// even if all rows are `READY`.
pub(super) fn batch_status(counts: Counts, has_changed: bool) -> &'static str {
    if counts.ready == counts.total && !has_changed {
        "READY"
    } else if ended(counts) < counts.total {
        "IN_PROGRESS"
    } else if counts.failed > 0 {
        "FAILED"
    } else if counts.archived > 0 {
        // Whether those rows have failed is not known any more.
        "ARCHIVED"
    } else {
        "COMPLETED"
    }
}

/// The share of rows that have ended, in percent. It is rounded down, so it is 100 only if all rows have ended.
pub(super) fn progress_percentage(counts: Counts) -> i64 {
    ended(counts) * 100 / counts.total.max(1)
}

const fn ended(counts: Counts) -> i64 {
    counts.completed + counts.failed + counts.archived
}

/// The answer about a batch that was just changed.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "ChangedBatch")]
pub(in crate::http) struct BatchBody {
    /// The client's name for the batch.
    reference_id: String,
    /// The gateway's id of the batch.
    batch_id: String,
    /// The status of the batch.
    #[schemars(extend("enum" = RowStatus::ALL.map(RowStatus::as_str)))]
    batch_status: &'static str,
    /// How many rows have each status.
    summary: Summary,
}

impl BatchBody {
    pub(super) fn of(batch: &Batch, page: &BatchPage) -> Self {
        Self {
            reference_id: batch.reference_id.clone(),
            batch_id: batch.id.to_string(),
            batch_status: batch_status(page.summary, page.has_changed(batch)),
            summary: page.summary.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_a_batch_follows_from_its_rows() {
        for ([ready, in_progress, completed, failed, archived], status, percentage) in [
            ([3, 0, 0, 0, 0], "READY", 0),
            ([3, 0, 0, 0, 0], "IN_PROGRESS", 0),
            ([2, 1, 0, 0, 0], "IN_PROGRESS", 0),
            ([0, 3, 0, 0, 0], "IN_PROGRESS", 0),
            ([2, 0, 1, 0, 0], "IN_PROGRESS", 33),
            ([2, 0, 0, 1, 0], "IN_PROGRESS", 33),
            ([0, 1, 199, 0, 0], "IN_PROGRESS", 99),
            ([0, 0, 3, 0, 0], "COMPLETED", 100),
            ([0, 0, 2, 1, 0], "FAILED", 100),
            ([0, 0, 0, 3, 0], "FAILED", 100),
            ([0, 0, 2, 0, 1], "ARCHIVED", 100),
            ([0, 0, 1, 1, 1], "FAILED", 100),
            ([0, 1, 0, 0, 1], "IN_PROGRESS", 50),
        ] {
            let total = ready + in_progress + completed + failed + archived;
            let counts = Counts {
                total,
                ready,
                in_progress,
                completed,
                failed,
                archived,
            };
            let has_changed = status != "READY";
            assert_eq!(batch_status(counts, has_changed), status, "{counts:?}");
            assert_eq!(progress_percentage(counts), percentage, "{counts:?}");
        }
    }
}
