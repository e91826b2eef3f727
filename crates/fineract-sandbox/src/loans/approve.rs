use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::tranches::Planned;
use super::{APPROVED, Loan, SUBMITTED, Stamp, charges, status, tranches, wrong_state};
use crate::books::Context;
use crate::failure::{Failure, Item};
use crate::json::{Json, Object, object};
use crate::operations::{Input, Outcome};
use crate::params::{Checks, Params};

const SUPPORTED: &[&str] = &[
    "loanId",
    "approvedLoanAmount",
    "approvedOnDate",
    "netDisbursalAmount",
    "note",
    "locale",
    "dateFormat",
    "disbursementData",
    "expectedDisbursementDate",
];

const NOT_PENDING: &str = "error.msg.loan.approve.account.is.not.submitted.and.pending.state";

/// The fields of an approval.
struct Asked {
    approved_on: NaiveDate,
    expected_on: Option<NaiveDate>,
    amount: Option<Decimal>,
}

impl Asked {
    fn read(params: &Params) -> Result<Self, Failure> {
        params.only(SUPPORTED)?;
        let mut checks = Checks::of("loanapplication");
        let approved_on = params.date("approvedOnDate")?;
        let approved_on = checks.required("approvedOnDate", approved_on);
        let amount = params.decimal("approvedLoanAmount")?;
        checks.positive("approvedLoanAmount", amount);
        let expected_on = params.date("expectedDisbursementDate")?;
        checks.longest("note", params.text("note").as_deref(), 1000);
        match approved_on {
            Some(approved_on) => checks.finish().map(|()| Self {
                approved_on,
                expected_on,
                amount,
            }),
            None => Err(checks.into_failure()),
        }
    }
}

/// Approves an application. The order of the checks is described in `docs/fineract/loans.md`, "Approving".
pub(crate) fn approve(context: &mut Context<'_>, input: &Input) -> Result<Outcome, Failure> {
    let params = &input.params;
    let asked = Asked::read(params)?;
    let loan = context.books.loan(input.id)?.clone();
    if context.release.is_1_10_1() && loan.status != SUBMITTED {
        return Err(wrong_state(NOT_PENDING));
    }
    context.books.client(loan.client_id)?.must_be_active()?;
    let product = context.books.product(loan.terms.product_id)?;
    let expected_on = asked.expected_on.unwrap_or(loan.terms.expected_on);
    let principal = asked.amount.unwrap_or(loan.terms.principal).round_dp(2);
    if asked.approved_on < loan.terms.submitted_on {
        let args = vec![shown(asked.approved_on), shown(loan.terms.submitted_on)];
        let code = "error.msg.loan.approval.cannot.be.before.submittal.date";
        return Err(Failure::rule(code, args));
    }
    // Fineract reads the tranches only if the request contains an amount.
    let planned = match asked.amount {
        Some(_) if params.has("disbursementData") => tranches::read(params, product)?,
        _ => Vec::new(),
    };
    if !planned.is_empty() {
        let mut checks = Checks::of("loan");
        tranches::check(&planned, product, principal, expected_on, &mut checks)?;
        checks.finish()?;
    }
    check_amount_dates_and_state(&loan, params, &asked, context)?;

    let changes = changes(&loan, params, &asked, &planned);
    let stamp = Stamp {
        on: asked.approved_on,
        by: context.user.who.clone(),
    };
    let mut approved = Loan {
        status: APPROVED,
        principal,
        approved_principal: principal,
        approved: Some(stamp),
        ..loan
    };
    approved.terms.expected_on = expected_on;
    if !planned.is_empty() {
        approved.tranches = tranches::stored(&planned, None, &mut context.books.ids);
    }
    charges::recalculate(&mut approved, principal);
    approved.net_disbursal = principal - approved.charges_at_disbursement();
    approved.note(context, params, None);
    let outcome = approved.changed(changes);
    context.books.loans.insert(approved.id, approved);
    Ok(outcome)
}

/// Checks amount, dates and state. Reports a wrong state (400) only if none of the other checks (403) fails.
fn check_amount_dates_and_state(
    loan: &Loan,
    params: &Params,
    asked: &Asked,
    context: &Context<'_>,
) -> Result<(), Failure> {
    let demanded = loan.terms.principal;
    if asked.amount.is_some_and(|amount| amount > demanded) {
        let args = vec![demanded.into(), params.number("approvedLoanAmount").into()];
        let code = "error.msg.loan.approval.amount.can't.be.greater.than.loan.amount.demanded";
        return Err(Failure::rule(code, args));
    }
    let stored = (!context.release.is_1_10_1()).then_some(loan.terms.expected_on);
    if let Some(expected_on) = asked
        .expected_on
        .or(stored)
        .filter(|expected_on| asked.approved_on > *expected_on)
    {
        let args = vec![shown(asked.approved_on), shown(expected_on)];
        let code = "error.msg.loan.expecteddisbursal.should.be.on.or.after.approval.date";
        return Err(Failure::rule(code, args));
    }
    if asked.approved_on > context.today {
        let args = vec![shown(asked.approved_on)];
        return Err(Failure::rule(
            "error.msg.loan.approval.cannot.be.a.future.date",
            args,
        ));
    }
    if loan.status != SUBMITTED {
        let item = Item::new(NOT_PENDING, "id", Vec::new());
        return Err(Failure::Invalid(vec![item.clone(), item]));
    }
    Ok(())
}

fn changes(loan: &Loan, params: &Params, asked: &Asked, planned: &[Planned]) -> Object {
    let amount = params.number("approvedLoanAmount");
    let net_disbursal = amount.as_ref().map(|_| loan.net_disbursal);
    let last = planned.last();
    let changes = object! {
        "locale": params.text("locale"),
        "dateFormat": params.text("dateFormat"),
        "approvedOnDate": params.text("approvedOnDate"),
        "status": status(APPROVED),
        "expectedDisbursementDate": asked.expected_on,
        "approvedLoanAmount": amount.clone(),
        "principal": amount,
        "netDisbursalAmount": net_disbursal,
        "note": params.text("note"),
        "recalculateLoanSchedule": last.map(|_| true),
        "disbursementData": last.map(Planned::to_string),
    };
    changes.in_hash_order()
}

fn shown(date: NaiveDate) -> Json {
    date.to_string().into()
}
