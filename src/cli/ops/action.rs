//! The actions of operators, by their names in the API.

/// An action.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    /// Continue parked operations, and run failed operations again.
    Retry,
    /// End operations that were never sent.
    Cancel,
    /// Put operations on hold.
    Hold,
    /// Release operations that are on hold.
    Release,
    /// State how parked operations ended.
    Resolve,
}

impl Action {
    /// The name in the API.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Cancel => "cancel",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Resolve => "resolve",
        }
    }
}
