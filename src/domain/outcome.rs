//! What an attempt came to.

use std::time::Duration;

use super::{ResourceId, State};

/// What an attempt came to: what becomes of its operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The operation has ended.
    End(End),
    /// It is tried again.
    Retry {
        /// Not before this time has passed.
        delay: Duration,
        /// Under a new idempotency key.
        new_key: bool,
        /// Why, as a stable code.
        reason_code: &'static str,
        /// Whether the time that it waits for this reason counts towards being parked. It does not while no operation could
        /// succeed, as during an outage. `None`: nothing was tried, and what counted before goes on.
        counts: Option<bool>,
    },
    /// Only an operator can decide it. Its lanes stay blocked.
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
        /// What the lane learns of the numeric id of its client or loan.
        resource_id: ResourceId,
    },
    /// Without an effect.
    Failed {
        /// Fineract's failure body, where Fineract refused it.
        body: Option<String>,
        /// The sentence for the caller.
        message: String,
        /// The stable code for operators.
        code: String,
        /// Whether its dependents, the operations behind it in its lane, fail with it.
        fails_dependents: bool,
    },
}

impl Outcome {
    /// Whether the operation goes on under a new key.
    pub fn takes_new_key(&self) -> bool {
        matches!(self, Self::Retry { new_key: true, .. })
    }

    /// The state that it leads to.
    pub fn state(&self) -> State {
        match self {
            Self::End(End::Succeeded { .. }) => State::Succeeded,
            Self::End(End::Failed { .. }) => State::Failed,
            Self::Retry { .. } => State::Ready,
            Self::Park { .. } => State::Parked,
        }
    }

    /// Why the operation did not succeed, as a code.
    pub fn reason_code(&self) -> Option<&str> {
        match self {
            Self::End(End::Succeeded { .. }) => None,
            Self::End(End::Failed { code, .. }) => Some(code),
            Self::Retry { reason_code, .. } | Self::Park { reason_code } => Some(reason_code),
        }
    }

    /// The outcome of an operation that an operator has resolved: where it would be tried again, it is parked again.
    #[must_use]
    pub fn of_resolved(self) -> Self {
        match self {
            Self::Retry { reason_code, .. } => Self::Park { reason_code },
            outcome @ (Self::End(_) | Self::Park { .. }) => outcome,
        }
    }
}
