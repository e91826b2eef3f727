//! What an operation says of itself before anything is read.

use super::{Lane, LaneAccess};

/// What a checked payload says about where its operation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The lanes it stands in.
    pub lanes: LaneAccess,
    /// The reference (UTR) that may be used once on its lane.
    pub reference: Option<String>,
    /// The lender whose product Fineract locks while it runs (`LOAN_CREATE`; `docs/fineract/outages.md`, "Filing
    /// locks the product").
    pub lender: Option<String>,
}

impl Checked {
    /// An operation that writes a lane, and is known for nothing else.
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

/// What to read from Fineract; what is `None` is not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// The external id of the client.
    pub client: Option<String>,
    /// The number of the client, where a command was sent to one, or where it was renamed: it is read by it, then,
    /// since its external id may have come to name another, or none.
    pub client_id: Option<i64>,
    /// The name of the product.
    pub product: Option<String>,
    /// The external id of the loan, read with its charges, tranches and transactions.
    pub loan: Option<String>,
    /// The number of the loan, as [`client_id`](Self::client_id).
    pub loan_id: Option<i64>,
    /// Whether the loan is read with its notes, too.
    pub notes: bool,
    /// The name of the payment type.
    pub payment_type: Option<String>,
    /// The number of the office.
    pub office: Option<i64>,
    /// The external id of a transaction of `loan`, read by itself: an undone one is missing from the
    /// loan's list (`docs/fineract/payments.md`, "Undone payments").
    pub transaction: Option<String>,
}

impl Reads {
    /// A loan alone, by its external id.
    pub fn of_loan(external_id: &str) -> Self {
        Self {
            loan: Some(external_id.to_owned()),
            ..Self::default()
        }
    }
}

/// Which way an operation moves money (document 003).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// In: a loan is repaid.
    Payment,
    /// Out: a loan is paid out.
    Withdrawal,
}
