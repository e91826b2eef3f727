use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{Charge, Loan};
use crate::books::{Books, next};
use crate::failure::Failure;
use crate::json::{Json, Object, object};
use crate::params::{Checks, Params};

/// A charge in a request: its definition, the amount or percentage, and, if the loan already has this charge, the id of
/// the loan's charge.
pub(super) struct Asked {
    id: Option<i64>,
    definition: Object,
    rate: Decimal,
}

/// Reads the list `charges` of a request. Fineract does not add the charges of the product by itself.
pub(super) fn read(params: &Params, books: &Books) -> Result<Vec<Asked>, Failure> {
    let entries = params
        .raw("charges")
        .and_then(Json::as_list)
        .unwrap_or_default();
    let mut asked = Vec::new();
    for entry in entries.iter().filter_map(Json::as_object) {
        let entry = Params(entry.clone().with("locale", params.text("locale")));
        let mut checks = Checks::of("loan");
        let (charge_id, amount) = (entry.id("chargeId")?, entry.decimal("amount")?);
        checks.required("chargeId", charge_id);
        checks.required("amount", amount);
        checks.finish()?;
        let charge_id = charge_id.unwrap_or(0);
        let definition = books.charges.get(&charge_id).cloned().ok_or_else(|| {
            Failure::not_found("error.msg.charge.id.invalid", vec![charge_id.into()])
        })?;
        asked.push(Asked {
            id: entry.id("id")?,
            definition,
            rate: amount.unwrap_or_default(),
        });
    }
    Ok(asked)
}

/// The charges as the loan stores them. A charge that is sent with its id keeps this id; other charges get a new id.
pub(super) fn stored(
    asked: Vec<Asked>,
    principal: Decimal,
    books: &mut Books,
    today: NaiveDate,
) -> Vec<Charge> {
    let mut charge = |asked: Asked| Charge {
        id: asked.id.unwrap_or_else(|| next(&mut books.ids.loan_charge)),
        rate: asked.rate,
        applied_to: principal,
        amount: amount(&asked.definition, asked.rate, principal),
        definition: asked.definition,
        submitted_on: today,
        paid: false,
    };
    asked.into_iter().map(&mut charge).collect()
}

/// Calculates the charges of the loan again, for another principal.
pub(super) fn recalculate(loan: &mut Loan, principal: Decimal) {
    for charge in &mut loan.charges {
        charge.applied_to = principal;
        charge.amount = amount(&charge.definition, charge.rate, principal);
    }
}

fn amount(definition: &Object, rate: Decimal, principal: Decimal) -> Decimal {
    if is_percentage(definition) {
        (principal * rate / Decimal::ONE_HUNDRED).round_dp(2)
    } else {
        rate
    }
}

fn is_percentage(definition: &Object) -> bool {
    choice(definition, "chargeCalculationType") != 1
}

fn choice(definition: &Object, key: &str) -> i64 {
    let id = definition
        .get(key)
        .and_then(Json::as_object)
        .and_then(|value| value.get("id"));
    id.and_then(Json::as_integer).unwrap_or(0)
}

fn charge_id(charge: &Charge) -> Option<&Json> {
    charge.definition.get("id")
}

/// The form of the charge in the object `changes` of the answer to an update. If the loan already had the charge, the
/// amount is the previous one.
pub(super) fn changed(charge: &Charge, before: Option<&Charge>) -> Object {
    object! {
        "id": before.map(|before| before.id),
        "chargeId": charge_id(charge).cloned(),
        "amount": Json::cents(before.unwrap_or(charge).amount),
        "chargeTimeType": choice(&charge.definition, "chargeTimeType"),
        "chargeCalculationType": choice(&charge.definition, "chargeCalculationType"),
    }
}

/// The charge as a read of the loan shows it (`docs/fineract/loans.md`, "Charges of a loan").
pub(super) fn described(loan: &Loan, charge: &Charge) -> Object {
    let member = |key: &str| charge.definition.get(key).cloned();
    let is_percentage = is_percentage(&charge.definition);
    let outstanding = if charge.paid {
        Decimal::ZERO
    } else {
        charge.amount
    };
    let paid = if charge.paid {
        Json::from(charge.amount)
    } else {
        0_i64.into()
    };
    object! {
        "id": charge.id,
        "chargeId": charge_id(charge).cloned(),
        "name": member("name"),
        "chargeTimeType": member("chargeTimeType"),
        "submittedOnDate": charge.submitted_on,
        "chargeCalculationType": member("chargeCalculationType"),
        "percentage": is_percentage.then_some(charge.rate),
        "amountPercentageAppliedTo": is_percentage.then_some(charge.applied_to),
        "currency": member("currency"),
        "amount": charge.amount,
        "amountPaid": paid,
        "amountWaived": 0_i64,
        "amountWrittenOff": 0_i64,
        "amountOutstanding": outstanding,
        "amountOrPercentage": charge.rate,
        "penalty": member("penalty"),
        "chargePaymentMode": member("chargePaymentMode"),
        "paid": charge.paid,
        "waived": false,
        "chargePayable": false,
        "loanId": loan.id,
        "externalLoanId": loan.external_id(),
    }
}
