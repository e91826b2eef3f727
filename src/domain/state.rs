//! Where an operation stands.

/// An operation's state, as its row has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Behind others in its lanes.
    Waiting,
    /// First in its lanes; due at `available_at`.
    Ready,
    /// Claimed by a worker until its lease runs out.
    Running,
    /// Only a person can decide it.
    Parked,
    /// Ended with its effect in Fineract.
    Succeeded,
    /// Ended without an effect in Fineract.
    Failed,
}

impl State {
    /// The word in the table.
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

    /// The state of that word, if there is one.
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

    /// Whether nothing will change any more.
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}
