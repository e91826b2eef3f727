//! The rules about an application's fields, its product and its client.

use std::cmp::Ordering;

use chrono::NaiveDate;

use super::Terms;
use super::enums::{ADVANCED, strategy_name};
use crate::clients::Client;
use crate::failure::Failure;
use crate::json::Json;
use crate::params::Checks;
use crate::products::Product;

/// Checks the dates (`docs/fineract/loans.md`, "The order of checks on an application", step 6).
pub(super) fn check_dates(
    terms: &Terms,
    product: &Product,
    today: NaiveDate,
    client: &Client,
) -> Result<(), Failure> {
    let activated_on = client.activation.as_ref().map(|(on, _)| *on);
    let submitted = terms.submitted_on;
    let shown = |date: NaiveDate| Json::from(date.to_string());
    let refuse = |code: &str, other: NaiveDate| {
        Err(Failure::rule(code, vec![shown(submitted), shown(other)]))
    };
    if let Some(start) = product.date("startDate").filter(|start| submitted < *start) {
        return refuse(
            "error.msg.loan.application.submitted.on.date.cannot.be.before.the.loan.product.start.date",
            start,
        );
    }
    if let Some(close) = product.date("closeDate").filter(|close| submitted > *close) {
        return refuse(
            "error.msg.loan.application.submitted.on.date.cannot.be.after.the.loan.product.close.date",
            close,
        );
    }
    if submitted > today {
        return refuse("error.msg.loan.submittal.cannot.be.a.future.date", today);
    }
    if let Some(activated) = activated_on.filter(|activated| submitted < *activated) {
        return refuse(
            "error.msg.loan.submittal.cannot.be.before.client.activation.date",
            activated,
        );
    }
    if submitted > terms.expected_on {
        return refuse(
            "error.msg.loan.submittal.cannot.be.after.expected.disbursement.date",
            terms.expected_on,
        );
    }
    Ok(())
}

/// Checks that the repayment strategy exists and matches the schedule of the product (`docs/fineract/loans.md`, "The
/// order of checks on an application", step 7).
pub(super) fn check_strategy(terms: &Terms, product: &Product) -> Result<(), Failure> {
    if strategy_name(&terms.strategy).is_none() {
        let args = vec![terms.strategy.as_str().into()];
        return Err(Failure::not_found(
            "error.msg.transactions.processing.strategy.code.invalid",
            args,
        ));
    }
    match (product.is_progressive(), terms.strategy == ADVANCED) {
        (true, false) => Err(Failure::rule(
            "error.msg.loan.repayment.strategy.can.not.be.different.than.advanced.payment.allocation",
            Vec::new(),
        )),
        (false, true) => Err(Failure::rule(
            "error.msg.loan.repayment.strategy.can.not.be.equal.to.advanced.payment.allocation",
            Vec::new(),
        )),
        (true, true) | (false, false) => Ok(()),
    }
}

/// Checks that the term is the number of repayments multiplied by their interval. The term and the interval must have
/// the same unit (`docs/fineract/loans.md`, "The term and the repayments").
pub(super) fn check_term(terms: &Terms) -> Result<(), Failure> {
    let mut checks = Checks::of("loan");
    if terms.term_unit == terms.unit {
        let what = match terms
            .term
            .cmp(&terms.repayments.saturating_mul(terms.every))
        {
            Ordering::Less => "less.than.repayment.structure.suggests",
            Ordering::Greater => "greater.than.repayment.structure.suggests",
            Ordering::Equal => return Ok(()),
        };
        let args = vec![
            terms.term.into(),
            terms.repayments.into(),
            terms.every.into(),
        ];
        checks.fail("loanTermFrequency", what, args);
    } else {
        let args = vec![terms.term_unit.into(), terms.unit.into()];
        checks.fail(
            "loanTermFrequencyType",
            "not.the.same.as.repaymentFrequencyType",
            args,
        );
    }
    checks.finish()
}
