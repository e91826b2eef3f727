//! The money that an operation moves.

use crate::domain::{Amount, Direction, Loan};

/// The money that an operation moves, as its payload says it (document 003).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// Which way.
    pub direction: Direction,
    /// The external id of the loan.
    pub loan: String,
    /// How much; `None` leaves it to the loan's terms.
    pub amount: Option<Amount>,
    /// The reference (UTR).
    pub reference: Option<String>,
    /// The payment type under which it is booked.
    pub method: Option<String>,
}

impl Movement {
    /// Whether it repays all that is outstanding of the loan, or more.
    pub fn pays_off(&self, loan: &Loan) -> bool {
        let summary = loan.summary.as_ref();
        let outstanding = summary.and_then(|summary| summary.total_outstanding);
        match (self.direction, self.amount, outstanding) {
            (Direction::Payment, Some(amount), Some(outstanding)) => amount >= outstanding,
            (Direction::Payment | Direction::Withdrawal, ..) => false,
        }
    }
}
