//! Batches and rows as their client sees them.

use chrono::{DateTime, Utc};

use super::Batch;
use crate::domain::{IdempotencyKey, OperationId, OperationType, RetryEligible};

/// Where a row stands (document 002).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowStatus {
    /// Accepted, nothing sent yet.
    Ready,
    /// An attempt has been sent, or a person has to look.
    InProgress,
    /// Ended with its effect.
    Completed,
    /// Ended without.
    Failed,
}

impl RowStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Ready, Self::InProgress, Self::Completed, Self::Failed];

    /// The document's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }

    /// The status of that word, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

/// How many rows stand where.
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

/// Which rows are asked for; what is empty asks for all.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter {
    /// Those of these statuses.
    pub status: Vec<RowStatus>,
    /// Those of this value.
    pub retry_eligible: Option<RetryEligible>,
    /// Those that bear this text in their names or their error.
    pub search: Option<String>,
}

/// Why a row failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFailure {
    /// As a stable code.
    pub code: String,
    /// As a sentence.
    pub message: String,
    /// Whether it may be sent again.
    pub retry_eligible: RetryEligible,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its place in the file, from 1.
    pub number: i32,
    /// The caller's own name for it, else its operation's id.
    pub consent_id: Option<String>,
    /// Where it stands.
    pub status: RowStatus,
    /// The operation that runs it; none where it was refused at the door.
    pub operation_id: Option<OperationId>,
    /// Its type, where it is known.
    pub operation_type: Option<OperationType>,
    /// The key last sent to Fineract.
    pub last_key: Option<IdempotencyKey>,
    /// Why it failed, if it did.
    pub failure: Option<RowFailure>,
}

/// Where a batch stands, and some of its rows.
#[derive(Clone, Debug)]
pub struct BatchPage {
    /// How many rows stand where, whatever was asked for.
    pub summary: Summary,
    /// When anything last changed.
    pub changed_at: DateTime<Utc>,
    /// How many rows are as asked for.
    pub matching: usize,
    /// Those of the page.
    pub records: Vec<Record>,
}

impl BatchPage {
    /// Whether anything has happened since the batch was accepted; a claim alone is nothing.
    pub fn has_changed(&self, batch: &Batch) -> bool {
        self.changed_at > batch.accepted_at
    }
}
