//! The states of an operation.

/// The state of an operation, as stored in its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The operation waits for other operations in its lanes.
    Waiting,
    /// The operation is admitted in its lanes and can be claimed from `due_at` on.
    Ready,
    /// A worker has claimed the operation and runs it. If the worker's lease expires, another worker may claim the
    /// operation.
    Running,
    /// Only a person can decide what happens next.
    Parked,
    /// The operation ended with its effect in Fineract.
    Succeeded,
    /// The operation ended without an effect in Fineract.
    Failed,
}

impl State {
    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Parked => "parked",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// The state with this name, if it exists.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Waiting,
            Self::Ready,
            Self::Running,
            Self::Parked,
            Self::Succeeded,
            Self::Failed,
        ]
        .into_iter()
        .find(|state| state.as_str() == name)
    }

    /// Whether the state is final.
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}
