//! What the gateway derives from a payload before it reads anything in Fineract: lanes, reference, lender, and what to
//! read.

use super::{Lane, LaneAccess};

/// The lanes, reference and lender of an operation, derived from its checked payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The lanes that the operation writes and reads.
    pub lanes: LaneAccess,
    /// The payment reference (UTR), which may be used only once on its lane.
    pub reference: Option<String>,
    /// The lender whose product Fineract locks while the operation runs (only for `LOAN_CREATE`;
    /// `docs/fineract/outages.md`, "Filing locks the product").
    pub lender: Option<String>,
}

impl Checked {
    /// An operation that writes one lane and has neither a reference nor a lender.
    pub fn on(lane: Lane) -> Self {
        Self {
            lanes: LaneAccess {
                writes: lane,
                reads: None,
            },
            reference: None,
            lender: None,
        }
    }
}

/// What to read from Fineract. A field that is `None` is not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// The external id of the client.
    pub client: Option<String>,
    /// The number of the client, if a command was already sent to this client or if the client was renamed. The client
    /// is then read by number, because the external id may now refer to another client, or to none.
    pub client_id: Option<i64>,
    /// The name of the product.
    pub product: Option<String>,
    /// The external id of the loan, which is read with its charges, tranches and transactions.
    pub loan: Option<String>,
    /// The number of the loan; used like [`client_id`](Self::client_id).
    pub loan_id: Option<i64>,
    /// Whether the loan's notes are read too.
    pub notes: bool,
    /// The name of the payment type.
    pub payment_type: Option<String>,
    /// The number of the office.
    pub office: Option<i64>,
    /// The external id of a transaction of `loan`. The gateway reads this transaction separately, because the list in
    /// the loan omits undone disbursements (`docs/fineract/payments.md`, "Undone payments").
    pub transaction: Option<String>,
}

impl Reads {
    /// Reads only a loan, by its external id.
    pub fn of_loan(external_id: &str) -> Self {
        Self {
            loan: Some(external_id.to_owned()),
            ..Self::default()
        }
    }
}

/// The direction in which an operation moves money (document 003).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Money comes in: a loan is repaid.
    Payment,
    /// Money goes out: a loan is disbursed.
    Withdrawal,
}
