//! Lanes, which determine the order in which operations run.

use std::fmt;

/// The sequence of all operations on one client or one loan, which run in the order of acceptance.
///
/// Lane names are case-folded, because some databases under Fineract treat `LOAN-1` and `loan-1` as equal
/// (`docs/fineract/clients.md`, "External ids"). If a database treats them as different, the two clients or loans
/// share a lane nevertheless. This only costs time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane(String);

impl Lane {
    /// Whether `lane` is the name of the lane of the client, or of the loan, with this external id.
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

    /// The lane's name in the database.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How an operation uses a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// The operation waits for all operations before it in the lane, and all later operations wait for it.
    Write,
    /// The operation waits only for the writers before it in the lane.
    Read,
}

/// The lanes of an operation: it writes one and may read another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneAccess {
    /// The lane of the client or loan that the operation changes.
    pub writes: Lane,
    /// The lane of the object that the operation depends on, such as the client of a new loan.
    pub reads: Option<Lane>,
}
