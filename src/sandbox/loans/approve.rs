use super::{APPROVED, Loan, SUBMITTED, Stamp, charges, status, tranches};
use crate::sandbox::books::Desk;
use crate::sandbox::failure::{Failure, Item};
use crate::sandbox::json::{Json, object};
use crate::sandbox::operations::{Order, Outcome};
use crate::sandbox::params::Checks;

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

/// Approves an application, with the checks in the order of `CONTRACT.md` section 9: a wrong state loses to every 403.
pub(in crate::sandbox) fn approve(desk: &mut Desk<'_>, order: &Order) -> Result<Outcome, Failure> {
    let params = &order.params;
    params.only(SUPPORTED)?;
    let mut checks = Checks::of("loanapplication");
    let approved_on = params.date("approvedOnDate")?;
    checks.required("approvedOnDate", approved_on);
    let amount = params.decimal("approvedLoanAmount")?;
    checks.positive("approvedLoanAmount", amount);
    let expected_on = params.date("expectedDisbursementDate")?;
    checks.longest("note", params.text("note").as_deref(), 1000);
    checks.finish()?;
    let loan = desk.books.loan(order.id)?.clone();
    desk.books.client(loan.client_id)?.must_be_active()?;
    let product = desk.books.product(loan.terms.product_id)?.clone();
    let approved_on = approved_on.unwrap_or(desk.today);
    let expected = expected_on.unwrap_or(loan.terms.expected_on);
    let principal = amount.unwrap_or(loan.terms.principal);

    let shown = |date: chrono::NaiveDate| Json::from(date.to_string());
    if approved_on < loan.terms.submitted_on {
        let args = vec![shown(approved_on), shown(loan.terms.submitted_on)];
        return Err(Failure::rule(
            "error.msg.loan.approval.cannot.be.before.submittal.date",
            args,
        ));
    }
    let planned = match amount {
        Some(_) if params.has("disbursementData") => tranches::read(params, &product)?,
        _ => Vec::new(),
    };
    if !planned.is_empty() {
        let mut checks = Checks::of("loan");
        tranches::hold(&planned, &product, principal, expected, &mut checks)?;
        checks.finish()?;
    }
    if principal > loan.terms.principal {
        let args = vec![
            loan.terms.principal.into(),
            params.raw("approvedLoanAmount").cloned().into(),
        ];
        return Err(Failure::rule(
            "error.msg.loan.approval.amount.can't.be.greater.than.loan.amount.demanded",
            args,
        ));
    }
    if approved_on > expected {
        let args = vec![shown(approved_on), shown(expected)];
        return Err(Failure::rule(
            "error.msg.loan.expecteddisbursal.should.be.on.or.after.approval.date",
            args,
        ));
    }
    if approved_on > desk.today {
        return Err(Failure::rule(
            "error.msg.loan.approval.cannot.be.a.future.date",
            vec![shown(approved_on)],
        ));
    }
    if loan.status != SUBMITTED {
        let item = Item::new(NOT_PENDING, "id", Vec::new());
        return Err(Failure::Invalid(vec![item.clone(), item]));
    }

    let mut changes = object! {
        "locale": params.text("locale"),
        "dateFormat": params.text("dateFormat"),
        "approvedOnDate": params.text("approvedOnDate"),
        "status": status(APPROVED),
        "expectedDisbursementDate": expected_on,
    };
    if amount.is_some() {
        changes.set(
            "approvedLoanAmount",
            params.raw("approvedLoanAmount").cloned(),
        );
        changes.set("principal", params.raw("approvedLoanAmount").cloned());
        changes.set("netDisbursalAmount", loan.net_disbursal);
    }
    changes.set("note", params.text("note"));
    let mut approved = Loan {
        status: APPROVED,
        principal,
        approved_principal: principal,
        approved: Some(Stamp {
            on: approved_on,
            by: desk.user.who.clone(),
        }),
        ..loan
    };
    approved.terms.expected_on = expected;
    if let Some(last) = planned.last() {
        changes.set("recalculateLoanSchedule", true);
        changes.set(
            "disbursementData",
            format!("{}-{}", last.on, last.principal.normalize()),
        );
        approved.tranches = tranches::stored(&planned, None, &mut desk.books.ids);
    }
    charges::recalculate(&mut approved, principal);
    approved.net_disbursal = principal - approved.charges_at_disbursement();
    let outcome = approved.changed(changes.in_hash_order());
    desk.books.loans.insert(approved.id, approved);
    Ok(outcome)
}
