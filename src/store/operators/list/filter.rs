//! The filter of operators: one definition for lists, counts, CSV and repairs.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::Listed;
use crate::domain::Lane;

/// Selects operations. A selected operation meets every condition that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OperationFilter {
    /// The state, or a group of states.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<StateFilter>,
    /// The operation type, also a type that this gateway does not know.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub operation_type: Option<String>,
    /// The lender. Only a `LOAN_CREATE` has a lender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lender: Option<String>,
    /// The name of the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// Why the operation is parked, blocked, retried or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<String>,
    /// The lane that the operation writes: `client:<externalId>` or `loan:<externalId>`, in lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// The batch that the operation belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<Uuid>,
    /// The external id of the client or loan that the operation changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// A tracking id, the UUID of an operation, an external id or its beginning, or a UTR.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Accepted at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_after: Option<DateTime<Utc>>,
    /// Accepted before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_before: Option<DateTime<Utc>>,
    /// Ended at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_after: Option<DateTime<Utc>>,
    /// Ended before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_before: Option<DateTime<Utc>>,
    /// Whether an attempt was ever committed, as far as this database knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent: Option<bool>,
    /// Whether another operation runs this failed operation again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retried: Option<bool>,
}

/// A state, or a group of states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StateFilter {
    /// Waits for an operation before it in a lane.
    Waiting,
    /// Runs when a worker claims it.
    Ready,
    /// A worker has claimed it.
    Running,
    /// Waits for the decision of a person.
    Parked,
    /// Ended with success.
    Succeeded,
    /// Ended without success.
    Failed,
    /// Every operation that has not ended.
    Open,
    /// Every operation that has ended.
    Ended,
    /// Every operation that is on hold and has not ended.
    OnHold,
}

impl StateFilter {
    /// All values, in the order in which documents and messages list them.
    pub const ALL: [Self; 9] = [
        Self::Waiting,
        Self::Ready,
        Self::Running,
        Self::Parked,
        Self::Succeeded,
        Self::Failed,
        Self::Open,
        Self::Ended,
        Self::OnHold,
    ];

    /// The name in queries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Parked => "parked",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Open => "open",
            Self::Ended => "ended",
            Self::OnHold => "on_hold",
        }
    }

    fn matches(self, row: &Listed) -> bool {
        let has_ended = row.ended_at.is_some();
        match self {
            Self::Open => !has_ended,
            Self::Ended => has_ended,
            Self::OnHold => row.on_hold && !has_ended,
            Self::Waiting
            | Self::Ready
            | Self::Running
            | Self::Parked
            | Self::Succeeded
            | Self::Failed => row.state == self.as_str(),
        }
    }
}

impl OperationFilter {
    /// Whether no condition is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether every condition is about the row of an operation itself, or its result. Then operations can be counted
    /// without reading what is around them.
    pub(super) fn is_about_rows(&self) -> bool {
        let rows = Self {
            state: self.state,
            operation_type: self.operation_type.clone(),
            lender: self.lender.clone(),
            reason_code: self.reason_code.clone(),
            ..Self::default()
        };
        *self == rows
    }

    /// Whether an operation meets every condition except `q`, which only determines where the search looks.
    pub(super) fn matches(&self, row: &Listed) -> bool {
        let is = |wanted: &Option<String>, value: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| value == Some(wanted))
        };
        let from = |after: Option<DateTime<Utc>>, at: Option<DateTime<Utc>>| {
            after.is_none_or(|after| at.is_some_and(|at| at >= after))
        };
        let until = |before: Option<DateTime<Utc>>, at: Option<DateTime<Utc>>| {
            before.is_none_or(|before| at.is_some_and(|at| at < before))
        };
        let accepted_at = Some(row.accepted_at);
        self.state.is_none_or(|state| state.matches(row))
            && is(&self.operation_type, Some(&row.operation_type))
            && is(&self.lender, row.lender.as_deref())
            && is(&self.caller, Some(&row.caller))
            && is(&self.reason_code, row.reason_code.as_deref())
            && is(&self.lane, Some(&row.lane))
            && self.batch.is_none_or(|batch| row.batch == Some(batch))
            && self
                .external_id
                .as_deref()
                .is_none_or(|id| Lane::is_named(&row.lane, id))
            && self.sent.is_none_or(|sent| row.sent == sent)
            && self.retried.is_none_or(|retried| row.retried == retried)
            && from(self.accepted_after, accepted_at)
            && until(self.accepted_before, accepted_at)
            && from(self.ended_after, row.ended_at)
            && until(self.ended_before, row.ended_at)
    }
}
