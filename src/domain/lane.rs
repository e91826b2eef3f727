//! What must happen in order.

use std::fmt;

/// A row of operations that run one after another: everything about one client, or one loan.
///
/// Keys are case-folded: some databases under Fineract take `LOAN-1` and `loan-1` for the same
/// (`docs/fineract/clients.md`, "External ids"), and one lane too few costs nothing but time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane(String);

impl Lane {
    /// Whether a lane of that name is the client's or the loan's with this external id.
    pub fn is_named(lane: &str, external_id: &str) -> bool {
        [Self::client(external_id), Self::loan(external_id)]
            .iter()
            .any(|of| of.as_str() == lane)
    }

    /// The lane of the client with this external id.
    pub fn client(external_id: &str) -> Self {
        Self(format!("client:{}", external_id.to_lowercase()))
    }

    /// The lane of the loan with this external id.
    pub fn loan(external_id: &str) -> Self {
        Self(format!("loan:{}", external_id.to_lowercase()))
    }

    /// The lane's key in the table.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How an operation stands in a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Waits for all that stand before it.
    Write,
    /// Waits for the writers that stand before it.
    Read,
}

/// The lanes an operation stands in: it writes one and may read another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneAccess {
    /// The lane of what the operation changes.
    pub writes: Lane,
    /// The lane of what it rests on.
    pub reads: Option<Lane>,
}
