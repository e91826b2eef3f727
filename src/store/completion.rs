//! What the gateway writes when an attempt is over.

use uuid::Uuid;

use super::lanes::LaneEntries;
use crate::domain::{OperationId, Outcome, Reply};

/// The conclusion of an attempt.
#[derive(Clone, Debug)]
pub struct Completion {
    /// The operation.
    pub id: OperationId,
    /// The attempt number, which is the fence: the completion takes effect only if the operation still has it.
    pub attempt: i32,
    /// Its entries in its lanes.
    pub lane_entries: LaneEntries,
    /// Fineract's answer, or why there is none, if a command was sent. It is stored as evidence even if the attempt has
    /// lost its lease.
    pub reply: Option<Reply>,
    /// The operation's end or next try.
    pub outcome: Outcome,
}

impl Completion {
    /// The operation and the attempt number by which the completion is fenced.
    pub(super) fn fence(&self) -> (Uuid, i32) {
        (self.id.0, self.attempt)
    }
}
