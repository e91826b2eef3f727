//! The installments of a loan.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::money::{installment, period_rate};
use super::{Loan, Parts};
use crate::sandbox::dates;
use crate::sandbox::products::Product;

/// An installment: what is due, and what of it was paid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Installment {
    pub(super) due_on: NaiveDate,
    pub(super) principal: Decimal,
    pub(super) interest: Decimal,
    pub(super) paid: Parts,
}

/// What the installments repay: the tranches where there are any, planned ones too.
fn scheduled_principal(loan: &Loan) -> Decimal {
    if loan.tranches.is_empty() {
        loan.principal
    } else {
        loan.tranches.iter().map(|tranche| tranche.principal).sum()
    }
}

/// The installments of what is lent, from the disbursement on.
pub(super) fn installments(loan: &Loan, product: &Product) -> Vec<Installment> {
    let terms = &loan.terms;
    let start = loan
        .disbursed
        .as_ref()
        .map_or(terms.expected_on, |stamp| stamp.on);
    let rate = period_rate(terms, product);
    let principal = scheduled_principal(loan);
    let mut balance = principal;
    let interest = |balance: Decimal| balance.checked_mul(rate).unwrap_or_default().round_dp(2);
    let (count, flat) = (terms.repayments.clamp(1, 1200), interest(principal));
    let level = (principal / Decimal::from(count)).round_dp(2);
    let emi = installment(principal, rate, count);
    (1..=count)
        .map(|number| {
            let interest = if terms.interest == 1 {
                flat
            } else {
                interest(balance)
            };
            let share = if terms.interest == 1 || terms.amortization == 0 {
                level
            } else {
                emi - interest
            };
            let principal = if number == count {
                balance
            } else {
                share.min(balance)
            };
            balance -= principal;
            let due_on = dates::later(start, terms.every.saturating_mul(number), terms.unit);
            Installment {
                due_on,
                principal,
                interest,
                paid: Parts::default(),
            }
        })
        .collect()
}

/// Spends an amount on the installments, earliest first, interest before principal; the rest is overpaid.
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

/// The installments with what the standing repayments paid of them.
pub(super) fn with_payments(loan: &Loan, product: &Product) -> Vec<Installment> {
    let mut installments = installments(loan, product);
    for transaction in loan
        .standing()
        .filter(|transaction| transaction.kind == super::Kind::Repayment)
    {
        spend(&mut installments, transaction.amount);
    }
    installments
}
