//! Operators' actions on single operations. Each action and its audit row are written in one transaction.

mod audit;
mod batches;
mod books;
mod cancel;
mod hold;
mod inspect;
mod lane;
mod list;
mod possible;
mod read_audit;
mod repair;
mod resolve;
mod retry;
mod reveal;
mod seen;
mod sessions;
mod status;
mod views;

use super::{Store, StoreError, TrackingName, lanes::LaneEntries, names, patience::WithTimeout};
use crate::domain::{OperationId, State, TrackingId};

pub(super) use self::audit::Action;
pub use self::{
    audit::Operator,
    batches::ListedBatch,
    books::{BooksReport, NewEpoch, NumberConfirmation, NumberConflict},
    inspect::{AuditEntry, Inspected, InspectedAttempt},
    lane::{LaneOperation, LaneStory},
    list::{
        Count, CountBy, ListCursor, ListError, ListPage, ListRequest, Listed, NoIndex,
        OperationFilter, Sort, StateFilter,
    },
    read_audit::{AuditFilter, AuditPage, AuditRow},
    repair::{
        ClaimedRepair, Expected, LeftOut, NewRepair, Preview, Repair, RepairAction, RepairError,
        RepairOf, RepairOptions, RepairReport, RepairRow, RowOutcome, RowToRepair, RowTurn,
    },
    retry::Retryable,
    sessions::{Digest, Session, SessionKind},
    status::{Backlog, DatabaseStatus, KeyProbe, SystemStatus},
    views::SavedView,
};

/// Why an operator's action was not executed.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// The action is not possible in the operation's state.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an action is not possible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A worker is running the operation.
    #[error("A worker is running this operation.")]
    Running,
    /// The operation runs, or will run, without an operator.
    #[error("This operation has not ended and is not parked: it continues without an operator.")]
    UnderWay,
    /// An attempt was committed, so Fineract may have executed the command.
    #[error("This operation was sent to Fineract, or may have been sent.")]
    Sent,
    /// The operation has ended, so nothing can change it.
    #[error("This operation has ended.")]
    Ended,
    /// The operation is parked, so it already waits for an operator.
    #[error("This operation is parked already: retry or resolve it.")]
    Parked,
    /// The operation is not parked. The action is possible only for a parked operation.
    #[error("This operation is not parked.")]
    NotParked,
    /// The operation's `expires_at` has passed, and the operator gave no new `expires_at`.
    #[error(
        "The expires_at of this operation has passed: give a new expires_at to run the operation again."
    )]
    Expired,
    /// The epoch that the operator named is not the current epoch.
    #[error("Fineract's books are in another epoch now: read the books again.")]
    OtherEpoch,
    /// No hold-all is active.
    #[error("No hold of everything is active, so there is no hold to end.")]
    NoHold,
    /// The operation is not on hold, so there is nothing to release.
    #[error("This operation is not on hold.")]
    NotOnHold,
    /// Another operation already runs this operation again.
    #[error("This operation has been run again already, as {0}.")]
    Retried(TrackingName),
    /// People's data in the operation was erased, so it is no longer what was sent.
    #[error("People's data in this operation was erased, so it cannot be sent again.")]
    Erased,
    /// The operation is no longer as the operator saw it.
    #[error("This operation has changed since you looked at it: look again.")]
    Changed,
}

impl Unfit {
    /// The stable code, on which operators' tools may rely.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Running => "operation_running",
            Self::UnderWay => "operation_under_way",
            Self::Sent => "operation_sent",
            Self::Ended => "operation_ended",
            Self::Parked => "operation_parked",
            Self::NotParked => "operation_not_parked",
            Self::Expired => "operation_expired",
            Self::OtherEpoch => "other_epoch",
            Self::NoHold => "no_hold",
            Self::NotOnHold => "operation_not_on_hold",
            Self::Retried(_) => "operation_retried",
            Self::Erased => "erased",
            Self::Changed => "operation_changed",
        }
    }
}

/// An operation that is the subject of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The tracking id.
    pub tracking_id: TrackingId,
    /// The state of the operation when it was read.
    pub state: State,
    /// The operation's lane entries. For an ended operation, the lane entries that it had.
    pub lane_entries: LaneEntries,
}

impl Store {
    /// Finds an operation by its id.
    pub async fn find(&self, id: OperationId) -> Result<Option<Found>, StoreError> {
        sqlx::query!(
            r#"SELECT type AS "type!", state AS "state!", lane AS "lane!", position AS "position!", read_lane, read_position
                 FROM known_operations(ARRAY[$1::uuid])"#,
            id.0
        )
        .fetch_optional(&self.pool)
        .or_fail_to("look for an operation")
        .await?
        .map(|row| {
            Ok(Found {
                tracking_id: TrackingId {
                    operation_type: names::operation_type(&row.r#type)?,
                    id,
                },
                state: names::state(&row.state)?,
                lane_entries: LaneEntries {
                    lane: row.lane,
                    position: row.position,
                    read: row.read_lane.zip(row.read_position),
                },
            })
        })
        .transpose()
    }
}
