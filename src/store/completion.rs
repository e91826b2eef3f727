//! What is written when an attempt is over.

use uuid::Uuid;

use super::claimed::LaneEntries;
use crate::domain::{OperationId, Outcome, Reply};

/// The end of an attempt, as it is written.
#[derive(Clone, Debug)]
pub struct Completion {
    /// The operation.
    pub id: OperationId,
    /// The attempt that has leased it.
    pub attempt: i32,
    /// Its entries in its lanes.
    pub lane_entries: LaneEntries,
    /// What Fineract answered, if something was sent. Kept as evidence even where the attempt has lost its lease.
    pub reply: Option<Reply>,
    /// What becomes of the operation.
    pub outcome: Outcome,
}

impl Completion {
    /// What it is fenced by: the operation, and the attempt that holds it.
    pub(super) fn fence(&self) -> (Uuid, i32) {
        (self.id.0, self.attempt)
    }
}
