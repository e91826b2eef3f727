use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::schedule::{spend, with_payments};
use super::{
    ACTIVE, CLOSED, Kind, Loan, OVERPAID, Parts, Stamp, Transaction, payment, wrong_state,
};
use crate::books::{Context, Named};
use crate::failure::Failure;
use crate::json::{Json, Object, object};
use crate::operations::{Input, Outcome, Posting};
use crate::params::{Checks, Params};
use crate::products::Product;

const SUPPORTED: &[&str] = &[
    "transactionDate",
    "transactionAmount",
    "externalId",
    "note",
    "locale",
    "dateFormat",
    "paymentTypeId",
    "accountNumber",
    "checkNumber",
    "routingCode",
    "receiptNumber",
    "bankNumber",
    "loanId",
    "reversalExternalId",
];

/// Books a repayment. If the amount exceeds what is owed, the loan becomes overpaid.
pub(crate) fn repay(context: &mut Context<'_>, input: &Input) -> Result<Outcome, Failure> {
    let params = &input.params;
    params.only(SUPPORTED)?;
    let mut checks = Checks::of("loan.transaction");
    let on = params.date("transactionDate")?;
    checks.required("transactionDate", on);
    let amount = params.decimal("transactionAmount")?;
    checks.required("transactionAmount", amount);
    checks.positive("transactionAmount", amount);
    let external_id = params.text("externalId");
    let taken = &context.books.transactions_by_external_id;
    if external_id
        .as_ref()
        .is_some_and(|external_id| taken.contains_key(external_id))
    {
        let args = vec![Json::Null, Vec::<Json>::new().into()];
        checks.fail("externalId", "value.must.be.unique", args);
    }
    payment::check(params, &mut checks);
    checks.finish()?;
    let on = on.unwrap_or(context.today);
    let amount = amount.unwrap_or_default().round_dp(2);
    let payment_type = payment::payment_type(context.books, params)?;
    let mut loan = context.books.loan(input.id)?.clone();
    check_state_and_date(&loan, on, context.today)?;

    let product = context.books.product(loan.terms.product_id)?.clone();
    let payment = payment_type.map(|kind| payment::described(context.books, &kind, params));
    let transaction_id = book(context, &mut loan, &product, (on, amount));
    if let Some(booked) = loan.transactions.last_mut() {
        booked.external_id.clone_from(&external_id);
        booked.payment = payment;
    }
    loan.note(context, params, Some(transaction_id));
    update_status(&mut loan, &product, context);
    let posting = Posting {
        external_id: loan.terms.external_id.clone(),
        transaction_external_id: external_id.clone(),
        amount: Some(amount),
    };
    let outcome = Outcome {
        resource_id: Some(transaction_id),
        resource_external_id: external_id.clone(),
        posting,
        ..loan.changed(changes(params))
    };
    let taken = external_id.map(|external_id| (external_id, (loan.id, transaction_id)));
    context.books.transactions_by_external_id.extend(taken);
    context.books.loans.insert(loan.id, loan);
    Ok(outcome)
}

fn check_state_and_date(loan: &Loan, on: NaiveDate, today: NaiveDate) -> Result<(), Failure> {
    let disbursed_on = match &loan.disbursed {
        Some(stamp) if matches!(loan.status, ACTIVE | CLOSED | OVERPAID) => stamp.on,
        _ => {
            return Err(wrong_state(
                "error.msg.loan.must.be.active.fully.paid.or.overpaid",
            ));
        }
    };
    if on > today {
        let args = vec![on.to_string().into()];
        return Err(Failure::rule(
            "error.msg.loan.transaction.cannot.be.a.future.date",
            args,
        ));
    }
    if on < disbursed_on {
        let args = vec![on.to_string().into(), disbursed_on.to_string().into()];
        let code = "error.msg.loan.transaction.cannot.be.before.disbursement.date";
        return Err(Failure::rule(code, args));
    }
    Ok(())
}

/// Books a repayment and divides it over the installments. Returns the id of the transaction.
fn book(
    context: &mut Context<'_>,
    loan: &mut Loan,
    product: &Product,
    (on, amount): (NaiveDate, Decimal),
) -> i64 {
    let parts = spend(&mut with_payments(loan, product), amount);
    let outstanding = loan.outstanding() - parts.principal;
    let booked = Transaction::made(context, Kind::Repayment, on, amount);
    let id = booked.id;
    loan.transactions.push(Transaction {
        outstanding,
        parts,
        ..booked
    });
    id
}

/// Undoes a transaction. If the amount in the request is not 0, a new repayment of this amount replaces the
/// transaction.
pub(crate) fn adjust(context: &mut Context<'_>, input: &Input) -> Result<Outcome, Failure> {
    let params = &input.params;
    params.only(SUPPORTED)?;
    let mut checks = Checks::of("loan.transaction");
    let on = params.date("transactionDate")?;
    checks.required("transactionDate", on);
    let amount = params.decimal("transactionAmount")?;
    checks.required("transactionAmount", amount);
    checks.finish()?;
    let mut loan = context.books.loan(input.id)?.clone();
    let product = context.books.product(loan.terms.product_id)?.clone();
    let found = context
        .books
        .transaction(&loan, &Named::Number(input.transaction_id))?;
    let (id, external_id) = (found.id, found.external_id.clone());
    for undone in loan
        .transactions
        .iter_mut()
        .filter(|transaction| transaction.id == id)
    {
        undone.reversed_on = Some(context.today);
        undone.manually_reversed = true;
    }
    let amount = amount.unwrap_or_default().round_dp(2);
    if !amount.is_zero() {
        let on = on.unwrap_or(context.today);
        book(context, &mut loan, &product, (on, amount));
    }
    update_status(&mut loan, &product, context);
    let outcome = Outcome {
        resource_id: Some(id),
        resource_external_id: external_id,
        ..loan.changed(changes(params))
    };
    context.books.loans.insert(loan.id, loan);
    Ok(outcome)
}

/// Sets the status to active, closed or overpaid, depending on what is still owed.
fn update_status(loan: &mut Loan, product: &Product, context: &Context<'_>) {
    let repayments = loan
        .not_reversed()
        .filter(|transaction| transaction.kind == Kind::Repayment);
    let (last, repaid) = repayments.fold((None, Decimal::ZERO), |(last, repaid), transaction| {
        (last.max(Some(transaction.on)), repaid + transaction.amount)
    });
    let mut installments = super::schedule::installments(loan, product);
    let Parts { overpayment, .. } = spend(&mut installments, repaid);
    let is_paid = installments
        .iter()
        .all(|part| part.paid.principal == part.principal && part.paid.interest == part.interest);
    (loan.status, loan.closed) = match (overpayment.is_zero(), is_paid) {
        (false, _) => (OVERPAID, None),
        (true, true) => (
            CLOSED,
            Some(Stamp {
                on: last.unwrap_or(context.today),
                by: context.user.who.clone(),
            }),
        ),
        (true, false) => (ACTIVE, None),
    };
}

/// The `changes` in the answer: the keys that were sent, in Fineract's order. The amount is a JSON string.
fn changes(params: &Params) -> Object {
    let amount = params.raw("transactionAmount").and_then(Json::as_word);
    let head = object! {
        "transactionDate": params.text("transactionDate"),
        "transactionAmount": amount.map(|amount| amount.replace(',', "")),
        "locale": params.text("locale"),
        "dateFormat": params.text("dateFormat"),
        "paymentTypeId": params.raw("paymentTypeId").cloned(),
        "note": params.text("note"),
        "externalId": params.text("externalId"),
    };
    payment::DETAILS
        .iter()
        .fold(head, |all, name| all.with(name, params.text(name)))
}
