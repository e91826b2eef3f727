//! The installments of a loan.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::money::{installment, period_rate};
use super::{Loan, Parts};
use crate::dates;
use crate::products::Product;

/// An installment: the amounts that are due, and the amounts that were paid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Installment {
    pub(super) due_on: NaiveDate,
    pub(super) principal: Decimal,
    pub(super) interest: Decimal,
    pub(super) paid: Parts,
}

/// The principal that the installments repay. For a loan with tranches, this is the sum of all tranches, including open
/// ones.
fn scheduled_principal(loan: &Loan) -> Decimal {
    if loan.tranches.is_empty() {
        loan.principal
    } else {
        loan.tranches.iter().map(|tranche| tranche.principal).sum()
    }
}

/// The installments of the scheduled principal. Their periods start at the disbursement, or at its expected date if the
/// loan is not disbursed.
pub(super) fn installments(loan: &Loan, product: &Product) -> Vec<Installment> {
    let terms = &loan.terms;
    let start = loan
        .disbursed
        .as_ref()
        .map_or(terms.expected_on, |stamp| stamp.on);
    let rate = period_rate(terms, product);
    let interest = |balance: Decimal| balance.checked_mul(rate).unwrap_or_default();
    let principal = scheduled_principal(loan);
    let count = terms.repayments.clamp(1, 1200);
    let (is_flat, level) = (terms.interest == 1, principal / Decimal::from(count));
    let emi = installment(principal, rate, count);
    // The last installment contains the rounding differences.
    let mut balance = principal;
    let mut flat_left = interest(principal)
        .checked_mul(Decimal::from(count))
        .unwrap_or_default();
    let mut installment = |number: i64| {
        let is_last = number == count;
        let interest = match (is_flat, is_last) {
            (true, true) => flat_left.round_dp(2),
            (true, false) => interest(principal).round_dp(2),
            (false, _) => interest(balance).round_dp(2),
        };
        let share = if is_flat || terms.amortization == 0 {
            level.round_dp(2)
        } else {
            emi - interest
        };
        let principal = if is_last { balance } else { share.min(balance) };
        flat_left -= interest;
        balance -= principal;
        let due_on = dates::later(start, terms.every.saturating_mul(number), terms.unit);
        Installment {
            due_on,
            principal,
            interest,
            paid: Parts::default(),
        }
    };
    (1..=count).map(&mut installment).collect()
}

/// Divides an amount over the installments: the earliest installment first, and interest before principal. The
/// remaining amount is an overpayment.
pub(super) fn spend(installments: &mut [Installment], amount: Decimal) -> Parts {
    let mut parts = Parts {
        overpayment: amount,
        ..Parts::default()
    };
    for installment in installments {
        let interest = parts
            .overpayment
            .min(installment.interest - installment.paid.interest);
        installment.paid.interest += interest;
        parts.interest += interest;
        parts.overpayment -= interest;
        let principal = parts
            .overpayment
            .min(installment.principal - installment.paid.principal);
        installment.paid.principal += principal;
        parts.principal += principal;
        parts.overpayment -= principal;
    }
    parts
}

/// The installments after all repayments that are not reversed.
pub(super) fn with_payments(loan: &Loan, product: &Product) -> Vec<Installment> {
    let mut installments = installments(loan, product);
    for transaction in loan
        .not_reversed()
        .filter(|transaction| transaction.kind == super::Kind::Repayment)
    {
        spend(&mut installments, transaction.amount);
    }
    installments
}
