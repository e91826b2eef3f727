//! Interest and installments. The formulas are simple. Their results differ from the schedules of a real Fineract in
//! the last digits. For a stand-in, this is accurate enough.

use rust_decimal::Decimal;

use super::Terms;
use crate::failure::Failure;
use crate::json::Json;
use crate::products::Product;

/// The interest rate of the period between two installments, as a fraction.
pub(super) fn period_rate(terms: &Terms, product: &Product) -> Decimal {
    let yearly = yearly_rate(terms, product) / Decimal::ONE_HUNDRED;
    let periods = match terms.unit {
        0 => 365,
        1 => 52,
        2 => 12,
        _ => 1,
    };
    yearly
        .checked_mul(Decimal::from(terms.every))
        .unwrap_or_default()
        / Decimal::from(periods)
}

/// The interest rate of a year, in percent.
pub(super) fn yearly_rate(terms: &Terms, product: &Product) -> Decimal {
    match product.choice("interestRateFrequencyType") {
        2 => terms
            .rate
            .checked_mul(Decimal::from(12))
            .unwrap_or_default(),
        _ => terms.rate,
    }
}

/// The installment of a declining balance with equal installments: `P·r / (1 − (1 + r)^−n)`, or `P / n` without
/// interest (`P`: principal, `r`: interest rate of a period, `n`: number of installments).
pub(super) fn installment(principal: Decimal, rate: Decimal, count: i64) -> Decimal {
    let count = count.max(1);
    if rate.is_zero() {
        return (principal / Decimal::from(count)).round_dp(2);
    }
    let growth = (0..count).try_fold(Decimal::ONE, |growth, _| {
        growth.checked_mul(Decimal::ONE + rate)
    });
    let discount = growth.map_or(Decimal::ZERO, |growth| Decimal::ONE / growth);
    let share = Decimal::ONE - discount;
    let interest = principal.checked_mul(rate).unwrap_or_default();
    interest.checked_div(share).unwrap_or_default().round_dp(2)
}

/// Refuses a negative principal. Fineract finds a negative principal when it checks that an installment is larger than
/// its interest, so the error has the code of that check.
pub(super) fn check_installments(terms: &Terms, product: &Product) -> Result<(), Failure> {
    if terms.principal >= Decimal::ZERO {
        return Ok(());
    }
    let rate = period_rate(terms, product);
    let interest = terms
        .principal
        .checked_mul(rate)
        .unwrap_or_default()
        .round_dp(2);
    let emi = installment(terms.principal, rate, terms.repayments);
    let args = vec![Json::cents(interest), Json::cents(emi)];
    Err(Failure::rule(
        "error.msg.loanschedule.emi.amount.must.be.greter.than.interest",
        args,
    ))
}
