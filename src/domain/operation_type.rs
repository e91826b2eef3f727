//! The operation types and their names.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

/// Generates the enum, the list of all types and their names, from one line for each type.
macro_rules! operation_types {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal,)+) => {
        /// What an operation does, as callers write it in `status` (document 001).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum OperationType {
            $($(#[$doc])+ $variant,)+
        }

        impl OperationType {
            /// All types, in the order of document 001.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name that callers use.
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
    /// Submits a loan application.
    LoanCreate = "LOAN_CREATE",
    /// Changes a loan application before its approval.
    LoanUpdate = "LOAN_UPDATE",
    /// Approves a loan application.
    LoanApprove = "LOAN_APPROVE",
    /// Disburses a loan, or its next tranche.
    LoanDisburse = "LOAN_DISBURSE",
    /// Deletes a loan application before its approval.
    LoanDelete = "LOAN_DELETE",
    /// Books a repayment.
    LoanRepayment = "LOAN_REPAYMENT",
    /// Rejects a loan application permanently.
    LoanReject = "LOAN_REJECT",
    /// Withdraws a loan application permanently, at the request of its client.
    LoanWithdraw = "LOAN_WITHDRAW",
    /// Undoes the approval of a loan.
    LoanUndoApproval = "LOAN_UNDO_APPROVAL",
    /// Undoes all disbursements of a loan, and with them all its other transactions.
    LoanUndoDisbursal = "LOAN_UNDO_DISBURSAL",
}

impl OperationType {
    /// The types that pay money. Two failed operations of such a type may be one payment, sent again after its failure.
    pub const PAYMENTS: [Self; 2] = [Self::LoanDisburse, Self::LoanRepayment];

    /// Whether the type creates the client or loan of the lane that it writes. Later operations in the lane depend on
    /// a create, and a create does not depend on earlier failures in the lane.
    pub const fn is_create(self) -> bool {
        matches!(self, Self::ClientCreate | Self::LoanCreate)
    }

    /// Whether the type acts on a client. All other types act on a loan.
    pub const fn is_about_client(self) -> bool {
        matches!(self, Self::ClientCreate | Self::ClientUpdate)
    }

    /// The type with this name, if it exists.
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

impl JsonSchema for OperationType {
    fn schema_name() -> Cow<'static, str> {
        "OperationType".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = Self::ALL.iter().map(|known| known.as_str()).collect();
        json_schema!({ "type": "string", "enum": names })
    }
}
