//! What an attempt concluded, and what becomes of its operation.

use std::time::Duration;

use uuid::Uuid;

use super::claimed::LaneEntries;
use crate::domain::{OperationId, Reply, ResourceId, State};

/// What an attempt concluded.
#[derive(Clone, Debug)]
pub struct Completion {
    /// The operation.
    pub id: OperationId,
    /// The attempt that holds it.
    pub attempt: i32,
    /// Where it stands.
    pub lane_entries: LaneEntries,
    /// What came back, when something was sent: kept even when the attempt has lost its claim.
    pub reply: Option<Reply>,
    /// What becomes of the operation.
    pub verdict: Verdict,
}

impl Completion {
    /// What it is fenced by: the operation, and the attempt that holds it.
    pub(super) fn fence(&self) -> (Uuid, i32) {
        (self.id.0, self.attempt)
    }
}

/// What becomes of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has ended.
    End(End),
    /// It is tried again.
    Again {
        /// Not before this has passed.
        delay: Duration,
        /// Under a new Idempotency-Key.
        new_key: bool,
        /// Why, as a stable code.
        reason_code: &'static str,
        /// Whether the time it waits for this reason counts towards being parked: not while nobody could
        /// have it done, as during an outage. `None`: it was only passed over, which changes nothing.
        counts: Option<bool>,
    },
    /// Only a person can decide it; its lanes stay shut.
    Park {
        /// Why, as a stable code.
        reason_code: &'static str,
    },
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With its effect.
    Succeeded {
        /// Fineract's success body.
        body: String,
        /// What the lane learns of the numeric id of what it is about.
        resource_id: ResourceId,
    },
    /// Without an effect.
    Failed {
        /// Fineract's failure body, where it was Fineract that refused.
        body: Option<String>,
        /// The sentence for the caller.
        message: String,
        /// The stable code for operators.
        code: String,
        /// Whether those behind it in its lane fall with it.
        fails_dependents: bool,
    },
}

impl Verdict {
    /// Whether it goes on under a new key.
    pub fn takes_new_key(&self) -> bool {
        matches!(self, Self::Again { new_key: true, .. })
    }

    /// The state it leads to.
    pub fn state(&self) -> State {
        match self {
            Self::End(End::Succeeded { .. }) => State::Succeeded,
            Self::End(End::Failed { .. }) => State::Failed,
            Self::Again { .. } => State::Ready,
            Self::Park { .. } => State::Parked,
        }
    }
}
