//! What the gateway writes when an attempt has ended.

use uuid::Uuid;

use super::{claimed::Claimed, lanes::LaneEntries};
use crate::domain::{OperationId, OperationType, Outcome, Reply};

/// The conclusion of an attempt.
#[derive(Clone, Debug)]
pub struct Completion {
    /// The operation.
    pub id: OperationId,
    /// Its type.
    pub operation_type: OperationType,
    /// The attempt number, which is the fence: the completion takes effect only if the operation still has this attempt
    /// number.
    pub attempt: i32,
    /// The operation's lane entries.
    pub lane_entries: LaneEntries,
    /// Fineract's answer, or the reason why there is none; `None` if no command was sent. The reply is stored as
    /// evidence even if the attempt has lost its lease.
    pub reply: Option<Reply>,
    /// What happens to the operation: it ends, is retried or is parked.
    pub outcome: Outcome,
}

impl Completion {
    /// The conclusion of the attempt for which an operation was claimed.
    pub fn of(claimed: &Claimed, reply: Option<Reply>, outcome: Outcome) -> Self {
        Self {
            id: claimed.id,
            operation_type: claimed.operation_type,
            attempt: claimed.attempt,
            lane_entries: claimed.lane_entries.clone(),
            reply,
            outcome,
        }
    }

    /// The operation and the attempt number by which the completion is fenced.
    pub(super) fn fence(&self) -> (Uuid, i32) {
        (self.id.0, self.attempt)
    }
}
