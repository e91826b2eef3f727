//! Batches and rows as their client sees them.

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
}

impl RowStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Ready, Self::InProgress, Self::Completed, Self::Failed];

    /// The name in document 002.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }

    /// The status with that name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

/// How many rows of a batch have which status.
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
}

/// Which rows are asked for. An empty filter asks for all.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter {
    /// The statuses; empty for any.
    pub status: Vec<RowStatus>,
    /// The value of `retry_eligible`.
    pub retry_eligible: Option<RetryEligible>,
    /// A text that occurs in the row's names or its error, ignoring case.
    pub search: Option<String>,
}

/// Why a row failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFailure {
    /// The stable code.
    pub code: String,
    /// The sentence that explains it.
    pub message: String,
    /// Whether the row may be sent again.
    pub retry_eligible: RetryEligible,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its number in the file, from 1.
    pub number: i32,
    /// The client's own name for it, otherwise the id of its operation.
    pub consent_id: Option<String>,
    /// Its status.
    pub status: RowStatus,
    /// The operation that runs it; `None` if it was refused at acceptance.
    pub operation_id: Option<OperationId>,
    /// Its operation type, if it is known.
    pub operation_type: Option<OperationType>,
    /// The idempotency key that was last used towards Fineract.
    pub last_key: Option<IdempotencyKey>,
    /// Why it failed, if it did.
    pub failure: Option<RowFailure>,
}

/// The status of a batch, and a page of its rows.
#[derive(Clone, Debug)]
pub struct BatchPage {
    /// How many rows of the whole batch have which status.
    pub summary: Summary,
    /// When a row last changed: it was accepted or ended, or an attempt of it was sent.
    pub changed_at: DateTime<Utc>,
    /// How many rows match the filter.
    pub matching: usize,
    /// The rows of the page.
    pub records: Vec<Record>,
}

impl BatchPage {
    /// Whether anything has changed since the batch was accepted; a claim alone is no change.
    pub fn has_changed(&self, batch: &Batch) -> bool {
        self.changed_at > batch.accepted_at
    }
}
