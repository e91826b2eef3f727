use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::schedule::with_payments;
use super::{
    ACTIVE, CLOSED, Kind, Loan, OVERPAID, Parts, Stamp, Transaction, WRITTEN_OFF, status, summary,
    wrong_state,
};
use crate::books::Context;
use crate::failure::Failure;
use crate::json::{Json, fixed, object};
use crate::operations::{Input, Outcome, Posting};
use crate::params::{Checks, Params};
use crate::products::Product;

/// Writes off everything that is still owed on a loan.
pub(crate) fn write_off(context: &mut Context<'_>, input: &Input) -> Result<Outcome, Failure> {
    let params = &input.params;
    params.only(&[
        "transactionDate",
        "note",
        "locale",
        "dateFormat",
        "writeoffReasonId",
        "externalId",
    ])?;
    let on = transaction_date(params, context)?;
    let mut loan = context.books.loan(input.id)?.clone();
    if loan.status != ACTIVE {
        return Err(wrong_state(
            "error.msg.loan.writtenoff.account.is.not.active",
        ));
    }
    let product = context.books.product(loan.terms.product_id)?.clone();
    let parts = owed(&loan, &product);
    let external_id = params.text("externalId");
    let id = book(
        context,
        &mut loan,
        (Kind::WriteOff, on),
        (parts, external_id.clone()),
    );
    let stamp = Stamp {
        on,
        by: context.user.who.clone(),
    };
    loan.status = WRITTEN_OFF;
    loan.closed = Some(stamp.clone());
    loan.written_off = Some(stamp);
    let date = params.text("transactionDate");
    let changes = object! {
        "transactionDate": date.clone(), "locale": params.text("locale"), "dateFormat": params.text("dateFormat"),
        "status": status(WRITTEN_OFF), "closedOnDate": date.clone(), "writtenOffOnDate": date,
        "externalId": external_id.clone(), "note": params.text("note"),
    };
    let outcome = Outcome {
        resource_id: Some(id),
        resource_external_id: external_id,
        ..loan.changed(changes)
    };
    context.books.loans.insert(loan.id, loan);
    Ok(outcome)
}

/// Closes a loan on which nothing is owed.
pub(crate) fn close(context: &mut Context<'_>, input: &Input) -> Result<Outcome, Failure> {
    let params = &input.params;
    params.only(&[
        "transactionDate",
        "note",
        "locale",
        "dateFormat",
        "externalId",
    ])?;
    let on = transaction_date(params, context)?;
    let loan = context.books.loan(input.id)?;
    let product = context.books.product(loan.terms.product_id)?;
    let outstanding = summary::position(loan, product, context.today).outstanding();
    if loan.status == OVERPAID {
        return Err(Failure::rule(
            "error.msg.loan.close.loan.is.overpaid",
            Vec::new(),
        ));
    }
    if !outstanding.is_zero() {
        let args = vec![format!("INR {}", fixed(outstanding, 2)).into()];
        return Err(Failure::rule(
            "error.msg.loan.close.loan.has.money.outstanding",
            args,
        ));
    }
    let by = context.user.who.clone();
    let loan = context.books.loan_mut(input.id)?;
    loan.status = CLOSED;
    loan.closed = Some(Stamp { on, by });
    let changes = object! {
        "transactionDate": params.text("transactionDate"), "locale": params.text("locale"),
        "dateFormat": params.text("dateFormat"), "status": status(CLOSED), "closedOnDate": params.text("transactionDate"),
    };
    Ok(loan.changed(changes))
}

/// Closes a loan early (foreclosure). Books a repayment of the amount that closes the loan on the given date.
pub(crate) fn foreclose(context: &mut Context<'_>, input: &Input) -> Result<Outcome, Failure> {
    let params = &input.params;
    params.only(&[
        "transactionDate",
        "note",
        "locale",
        "dateFormat",
        "externalId",
    ])?;
    let on = transaction_date(params, context)?;
    let mut loan = context.books.loan(input.id)?.clone();
    if loan.status != ACTIVE {
        return Err(wrong_state(
            "error.msg.loan.foreclosure.account.is.not.active",
        ));
    }
    if on > context.today {
        return Err(Failure::rule(
            "loan.foreclosure.transaction.date.is.in.future",
            vec![on.to_string().into()],
        ));
    }
    let last = loan.not_reversed().map(|transaction| transaction.on).max();
    if let Some(last) = last.filter(|last| on < *last) {
        let code = "loan.foreclosure.transaction.date.cannot.before.the.last.transaction.date";
        return Err(Failure::rule(
            code,
            vec![on.to_string().into(), last.to_string().into()],
        ));
    }
    let product = context.books.product(loan.terms.product_id)?.clone();
    let parts = payoff(&loan, &product, on);
    let external_id = params.text("externalId");
    let id = book(
        context,
        &mut loan,
        (Kind::Repayment, on),
        (parts, external_id.clone()),
    );
    loan.status = CLOSED;
    loan.foreclosed = true;
    loan.closed = Some(Stamp {
        on,
        by: context.user.who.clone(),
    });
    let changes = object! {
        "dateFormat": params.text("dateFormat"), "transactionDate": params.text("transactionDate"),
        "externalId": external_id.clone(), "transactions": vec![id], "eventAmount": Json::cents(-parts.principal),
        "note": params.text("note"),
    };
    let posting = Posting {
        external_id: loan.terms.external_id.clone(),
        transaction_external_id: external_id.clone(),
        amount: Some(parts.principal + parts.interest),
    };
    let outcome = Outcome {
        loan_id: Some(loan.id),
        resource_id: Some(id),
        changes: Some(changes),
        resource_external_id: external_id,
        posting,
        ..Outcome::default()
    };
    context.books.loans.insert(loan.id, loan);
    Ok(outcome)
}

fn transaction_date(params: &Params, context: &Context<'_>) -> Result<NaiveDate, Failure> {
    let mut checks = Checks::of("loan");
    let on = params.date("transactionDate")?;
    checks.required("transactionDate", on);
    checks.longest("note", params.text("note").as_deref(), 1000);
    checks.finish()?;
    Ok(on.unwrap_or(context.today))
}

/// The principal and interest that are still owed.
fn owed(loan: &Loan, product: &Product) -> Parts {
    with_payments(loan, product)
        .iter()
        .fold(Parts::default(), |owed, part| Parts {
            principal: owed.principal + part.principal - part.paid.principal,
            interest: owed.interest + part.interest - part.paid.interest,
            ..owed
        })
}

/// The amount that closes the loan on this day. It consists of the outstanding principal, the unpaid interest of all
/// installments that are due by this day, and the interest for the passed days of the current period.
pub(super) fn payoff(loan: &Loan, product: &Product, on: NaiveDate) -> Parts {
    let mut from = loan.disbursed.as_ref().map_or(on, |stamp| stamp.on);
    let mut interest = Decimal::ZERO;
    for part in with_payments(loan, product) {
        let (passed, all) = (
            (on.min(part.due_on) - from).num_days(),
            (part.due_on - from).num_days(),
        );
        let share = Decimal::from(passed.max(0)) / Decimal::from(all.max(1));
        interest += (part.interest * share).round_dp(2) - part.paid.interest;
        from = part.due_on;
    }
    Parts {
        principal: owed(loan, product).principal,
        interest: interest.max(Decimal::ZERO),
        ..Parts::default()
    }
}

fn book(
    context: &mut Context<'_>,
    loan: &mut Loan,
    (kind, on): (Kind, NaiveDate),
    (parts, external_id): (Parts, Option<String>),
) -> i64 {
    let made = Transaction::made(context, kind, on, parts.principal + parts.interest);
    let id = made.id;
    let taken = external_id
        .clone()
        .map(|external_id| (external_id, (loan.id, id)));
    context.books.transactions_by_external_id.extend(taken);
    loan.transactions.push(Transaction {
        external_id,
        parts,
        ..made
    });
    id
}
