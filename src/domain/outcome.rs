//! The conclusion of an attempt.

use std::time::Duration;

use super::{ResourceId, State};

/// The conclusion of an attempt: what happens to its operation next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The operation has ended.
    End(End),
    /// The operation is tried again.
    Retry {
        /// The time to wait before the next try.
        delay: Duration,
        /// Whether the next try uses a new idempotency key.
        new_key: bool,
        /// The stable code of the reason.
        reason_code: &'static str,
        /// Whether the time of this wait counts towards parking. The time does not count while no operation could
        /// succeed, for example during an outage. `None`: nothing was tried, and the previous value remains.
        counts: Option<bool>,
    },
    /// The operation is parked: only an operator can decide, and the operations behind it in its lanes wait.
    Park {
        /// The stable code of the reason.
        reason_code: &'static str,
    },
}

/// The final state of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The operation had its effect.
    Succeeded {
        /// The body of Fineract's success.
        body: String,
        /// What the success shows about the number of the lane's client or loan.
        resource_id: ResourceId,
    },
    /// The operation had no effect.
    Failed {
        /// The body of Fineract's refusal, if Fineract refused the operation.
        body: Option<String>,
        /// The message for the caller.
        message: String,
        /// The stable code for operators.
        code: String,
        /// Whether the dependents (the operations behind this operation in its lane) fail too.
        fails_dependents: bool,
    },
}

impl Outcome {
    /// Whether the operation continues under a new key.
    pub fn takes_new_key(&self) -> bool {
        matches!(self, Self::Retry { new_key: true, .. })
    }

    /// The operation's state after this outcome.
    pub fn state(&self) -> State {
        match self {
            Self::End(End::Succeeded { .. }) => State::Succeeded,
            Self::End(End::Failed { .. }) => State::Failed,
            Self::Retry { .. } => State::Ready,
            Self::Park { .. } => State::Parked,
        }
    }

    /// The stable code of the reason why the operation did not succeed.
    pub fn reason_code(&self) -> Option<&str> {
        match self {
            Self::End(End::Succeeded { .. }) => None,
            Self::End(End::Failed { code, .. }) => Some(code),
            Self::Retry { reason_code, .. } | Self::Park { reason_code } => Some(reason_code),
        }
    }

    /// The outcome for an operation that an operator has resolved: such an operation is parked again instead of being
    /// tried again.
    #[must_use]
    pub fn of_resolved(self) -> Self {
        match self {
            Self::Retry { reason_code, .. } => Self::Park { reason_code },
            outcome @ (Self::End(_) | Self::Park { .. }) => outcome,
        }
    }
}
