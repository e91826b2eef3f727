//! The money that an operation moves.

use crate::domain::{Amount, Direction, Loan};

/// The money that an operation moves, according to its payload (document 003).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// The direction.
    pub direction: Direction,
    /// The external id of the loan.
    pub loan: String,
    /// The amount; `None` if the amount depends on the loan's terms.
    pub amount: Option<Amount>,
    /// The payment reference (UTR).
    pub reference: Option<String>,
    /// The name of the payment type with which the payment is booked.
    pub method: Option<String>,
}

impl Movement {
    /// Whether the operation repays the loan's whole outstanding amount, or more.
    pub fn pays_off(&self, loan: &Loan) -> bool {
        let summary = loan.summary.as_ref();
        let outstanding = summary.and_then(|summary| summary.total_outstanding);
        match (self.direction, self.amount, outstanding) {
            (Direction::Payment, Some(amount), Some(outstanding)) => amount >= outstanding,
            (Direction::Payment | Direction::Withdrawal, ..) => false,
        }
    }
}
