//! Batches and rows in the form that their client sees.

use chrono::{DateTime, Utc};

use super::Batch;
use crate::domain::{IdempotencyKey, OperationId, OperationType, RetryEligible};

/// The status of a row (document 002).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowStatus {
    /// Accepted, and nothing was sent yet.
    Ready,
    /// An attempt was sent, or the operation is parked.
    InProgress,
    /// Ended as succeeded.
    Completed,
    /// Ended as failed.
    Failed,
    /// Ended long ago, and its data was dropped.
    Archived,
}

impl RowStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [
        Self::Ready,
        Self::InProgress,
        Self::Completed,
        Self::Failed,
        Self::Archived,
    ];

    /// The name in document 002, which has no word for [`Self::Archived`].
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Archived => "ARCHIVED",
        }
    }

    /// The status with this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

/// The number of rows of a batch in each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// All rows.
    pub total: i64,
    /// See [`RowStatus::Ready`].
    pub ready: i64,
    /// See [`RowStatus::InProgress`].
    pub in_progress: i64,
    /// See [`RowStatus::Completed`].
    pub completed: i64,
    /// See [`RowStatus::Failed`].
    pub failed: i64,
    /// See [`RowStatus::Archived`].
    pub archived: i64,
}

/// Selects rows of a batch. An empty filter selects all rows.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter {
    /// The statuses; empty for any.
    pub status: Vec<RowStatus>,
    /// The value of `retry_eligible`; `None` for any.
    pub retry_eligible: Option<RetryEligible>,
    /// A text that occurs in the row's consent id, tracking id, external id, code or message, ignoring case.
    pub search: Option<String>,
}

/// Why a row failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFailure {
    /// The stable code.
    pub code: String,
    /// The sentence that explains the failure.
    pub message: String,
    /// Whether the row may be sent again.
    pub retry_eligible: RetryEligible,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Record {
    /// The row's number in the file, from 1.
    pub number: i32,
    /// The client's own name for the row; if there is none, the id of the row's operation.
    pub consent_id: Option<String>,
    /// The status.
    pub status: RowStatus,
    /// The operation that runs the row; `None` if the row was refused at acceptance.
    pub operation_id: Option<OperationId>,
    /// The operation type, if it is known.
    pub operation_type: Option<OperationType>,
    /// The idempotency key that was last used towards Fineract.
    pub last_key: Option<IdempotencyKey>,
    /// Why the row failed, if it has failed.
    pub failure: Option<RowFailure>,
}

/// The status of a batch, and a page of its rows.
#[derive(Clone, Debug)]
pub struct BatchPage {
    /// The number of rows of the whole batch in each status.
    pub summary: Summary,
    /// When a row last changed. A row changes when it is accepted, when an attempt is sent, and when it ends.
    pub changed_at: DateTime<Utc>,
    /// How many rows match the filter.
    pub matching: usize,
    /// The rows of the page.
    pub records: Vec<Record>,
}

impl BatchPage {
    /// Whether any row has changed since the batch was accepted. A claim alone does not count as a change.
    pub fn has_changed(&self, batch: &Batch) -> bool {
        self.changed_at > batch.accepted_at
    }
}
