//! The operations' names.

use std::fmt;

use serde::{Serialize, Serializer};

/// Writes the enum, the list of all and the names from one line a type.
macro_rules! operation_types {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal,)+) => {
        /// What an operation does, as callers write it in `status` (document 001).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum OperationType {
            $($(#[$doc])+ $variant,)+
        }

        impl OperationType {
            /// Every type, in the order of document 001.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name callers use.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

operation_types! {
    /// Creates an active client.
    ClientCreate = "CLIENT_CREATE",
    /// Changes a client's names, contacts or activation date.
    ClientUpdate = "CLIENT_UPDATE",
    /// Files a loan application.
    LoanCreate = "LOAN_CREATE",
    /// Changes a loan application before its approval.
    LoanUpdate = "LOAN_UPDATE",
    /// Approves a loan application.
    LoanApprove = "LOAN_APPROVE",
    /// Pays a loan out.
    LoanDisburse = "LOAN_DISBURSE",
    /// Deletes a loan application before its approval.
    LoanDelete = "LOAN_DELETE",
    /// Books what a borrower has paid back.
    LoanRepayment = "LOAN_REPAYMENT",
    /// Rejects a loan application, for good.
    LoanReject = "LOAN_REJECT",
    /// Withdraws a loan application for its client, for good.
    LoanWithdraw = "LOAN_WITHDRAW",
    /// Takes an approval back.
    LoanUndoApproval = "LOAN_UNDO_APPROVAL",
    /// Takes every payout of a loan back, and all its other transactions.
    LoanUndoDisbursal = "LOAN_UNDO_DISBURSAL",
}

impl OperationType {
    /// Whether it makes what its lane is about: what comes behind it in the lane depends on it, and it on
    /// nothing that failed there before.
    pub const fn is_create(self) -> bool {
        matches!(self, Self::ClientCreate | Self::LoanCreate)
    }

    /// Whether it is about a client; the others are about a loan.
    pub const fn is_about_client(self) -> bool {
        matches!(self, Self::ClientCreate | Self::ClientUpdate)
    }

    /// The type of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|known| known.as_str() == name)
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
