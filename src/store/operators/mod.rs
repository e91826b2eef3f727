//! What operators do with single operations: each action and its audit row are one transaction.

mod audit;
mod books;
mod cancel;
mod hold;
mod inspect;
mod parked;
mod resolve;
mod retry;

use super::{Asking, Store, StoreError, TrackingName, claimed::LaneEntries, names};
use crate::domain::{OperationId, State, TrackingId};

pub use self::{
    audit::Operator,
    books::{BooksReport, NewEpoch, NumberConfirmation, NumberConflict},
    inspect::Inspected,
    parked::{ListCursor, ParkedOperation},
    retry::Retryable,
};

/// Why an action was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// It does not fit where the operation stands.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The database did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an action does not fit where an operation stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A worker holds it.
    #[error("A worker runs this operation just now.")]
    Running,
    /// It will run, or runs, by itself.
    #[error("This operation has not ended and is not parked: it goes on by itself.")]
    UnderWay,
    /// An attempt was committed: Fineract may have it.
    #[error("This operation was sent to Fineract, or may have been.")]
    Sent,
    /// Nothing will change it any more.
    #[error("This operation has ended.")]
    Ended,
    /// It waits for a person already.
    #[error("This operation is parked: it waits for a decision already.")]
    Parked,
    /// Only a parked one is for a person to decide.
    #[error("This operation is not parked.")]
    NotParked,
    /// Its deadline has passed, and no other is given.
    #[error("The expires_at of this operation has passed: name a new one to run it again.")]
    Expired,
    /// Another epoch of Fineract's books has begun already.
    #[error("Fineract's books are in another epoch by now: look at them once more.")]
    OtherEpoch,
    /// Not everything is on hold.
    #[error("No hold of everything stands.")]
    NoHold,
    /// It is run again already.
    #[error("This operation is run again already, as {0}.")]
    Retried(TrackingName),
}

impl Unfit {
    /// The stable name that operators' tools may rely on.
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
            Self::Retried(_) => "operation_retried",
        }
    }
}

/// An operation that an action is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The name by which callers know it.
    pub tracking_id: TrackingId,
    /// Where it stood when it was looked for.
    pub state: State,
    /// Where it stands in its lanes, or stood.
    pub lane_entries: LaneEntries,
}

impl Store {
    /// Looks for an operation.
    pub async fn find(&self, id: OperationId) -> Result<Option<Found>, StoreError> {
        sqlx::query!(
            "SELECT type, state, lane, position, read_lane, read_position
               FROM operation
              WHERE id = $1",
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
