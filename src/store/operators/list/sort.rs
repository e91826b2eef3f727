//! The order of a list.

/// The order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// The operation that was accepted last is the first.
    Accepted,
    /// The operation that ended last is the first.
    Ended,
    /// The operation that has been parked for the longest time is the first.
    Parked,
    /// The operation on hold that was accepted first is the first.
    OnHold,
    /// The rows of a batch in the order of its file.
    BatchRow,
}

impl Sort {
    /// All orders.
    pub const ALL: [Self; 5] = [
        Self::Accepted,
        Self::Ended,
        Self::Parked,
        Self::OnHold,
        Self::BatchRow,
    ];

    /// The name in queries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Ended => "ended",
            Self::Parked => "parked",
            Self::OnHold => "on_hold",
            Self::BatchRow => "batch_row",
        }
    }
}
