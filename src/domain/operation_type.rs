//! The operations' names.

use std::fmt;

use serde::{Serialize, Serializer};

/// What an operation does, as callers write it in `status` (document 001).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OperationType {
    /// Creates an active client.
    ClientCreate,
    /// Changes a client's names, contacts or activation date.
    ClientUpdate,
    /// Files a loan application.
    LoanCreate,
    /// Changes a loan application before its approval.
    LoanUpdate,
    /// Approves a loan application.
    LoanApprove,
    /// Pays a loan out.
    LoanDisburse,
    /// Deletes a loan application before its approval.
    LoanDelete,
}

impl OperationType {
    /// Every type, in the order of document 001.
    pub const ALL: [Self; 7] = [
        Self::ClientCreate,
        Self::ClientUpdate,
        Self::LoanCreate,
        Self::LoanUpdate,
        Self::LoanApprove,
        Self::LoanDisburse,
        Self::LoanDelete,
    ];

    /// The name callers use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientCreate => "CLIENT_CREATE",
            Self::ClientUpdate => "CLIENT_UPDATE",
            Self::LoanCreate => "LOAN_CREATE",
            Self::LoanUpdate => "LOAN_UPDATE",
            Self::LoanApprove => "LOAN_APPROVE",
            Self::LoanDisburse => "LOAN_DISBURSE",
            Self::LoanDelete => "LOAN_DELETE",
        }
    }

    /// The type of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

impl fmt::Display for OperationType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for OperationType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
