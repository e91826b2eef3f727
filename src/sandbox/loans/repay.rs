use rust_decimal::Decimal;

use super::disburse::{PAYMENT_DETAILS, outstanding, payment, payment_type};
use super::schedule::{spend, with_payments};
use super::{ACTIVE, CLOSED, Kind, Loan, OVERPAID, Parts, Stamp, Transaction, wrong_state};
use crate::sandbox::books::{Desk, Named, next};
use crate::sandbox::failure::Failure;
use crate::sandbox::json::{Json, Object, object};
use crate::sandbox::operations::{Order, Outcome, Posting};
use crate::sandbox::params::{Checks, Params};

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

/// Books a repayment; more than what is owed leaves the loan overpaid.
pub(in crate::sandbox) fn repay(desk: &mut Desk<'_>, order: &Order) -> Result<Outcome, Failure> {
    let params = &order.params;
    params.only(SUPPORTED)?;
    let mut checks = Checks::of("loan.transaction");
    let on = params.date("transactionDate")?;
    checks.required("transactionDate", on);
    let amount = params.decimal("transactionAmount")?;
    checks.required("transactionAmount", amount);
    checks.positive("transactionAmount", amount);
    let external_id = params.text("externalId");
    if external_id
        .as_ref()
        .is_some_and(|id| desk.books.transactions_by_external_id.contains_key(id))
    {
        checks.fail(
            "externalId",
            "value.must.be.unique",
            vec![Json::Null, Vec::<Json>::new().into()],
        );
    }
    checks.longest("note", params.text("note").as_deref(), 1000);
    for detail in PAYMENT_DETAILS {
        checks.longest(detail, params.text(detail).as_deref(), 50);
    }
    checks.finish()?;
    let (on, amount) = (
        on.unwrap_or(desk.today),
        amount.unwrap_or_default().round_dp(2),
    );
    let payment_type = payment_type(desk.books, params)?;
    let mut loan = desk.books.loan(order.id)?.clone();
    let disbursed_on = match &loan.disbursed {
        Some(stamp) if matches!(loan.status, ACTIVE | CLOSED | OVERPAID) => stamp.on,
        _ => {
            return Err(wrong_state(
                "error.msg.loan.must.be.active.fully.paid.or.overpaid",
            ));
        }
    };
    if on > desk.today {
        return Err(Failure::rule(
            "error.msg.loan.transaction.cannot.be.a.future.date",
            vec![on.to_string().into()],
        ));
    }
    if on < disbursed_on {
        let args = vec![on.to_string().into(), disbursed_on.to_string().into()];
        return Err(Failure::rule(
            "error.msg.loan.transaction.cannot.be.before.disbursement.date",
            args,
        ));
    }
    let product = desk.books.product(loan.terms.product_id)?.clone();
    let parts = spend(&mut with_payments(&loan, &product), amount);
    let payment = payment_type.map(|payment_type| payment(desk.books, &payment_type, params));
    let transaction = Transaction {
        id: next(&mut desk.books.ids.transaction),
        kind: Kind::Repayment,
        on,
        amount,
        external_id: external_id.clone(),
        payment,
        outstanding: outstanding(&loan) - parts.principal,
        parts,
        submitted_on: desk.today,
        reversed_on: None,
        manually_reversed: false,
    };
    let transaction_id = transaction.id;
    loan.transactions.push(transaction);
    settle_status(&mut loan, &product, desk);
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
    desk.books
        .transactions_by_external_id
        .extend(external_id.map(|id| (id, (loan.id, transaction_id))));
    desk.books.loans.insert(loan.id, loan);
    Ok(outcome)
}

/// Undoes a transaction (amount 0), or books another amount in its place.
pub(in crate::sandbox) fn adjust(desk: &mut Desk<'_>, order: &Order) -> Result<Outcome, Failure> {
    let params = &order.params;
    params.only(SUPPORTED)?;
    let mut checks = Checks::of("loan.transaction");
    let (on, amount) = (
        params.date("transactionDate")?,
        params.decimal("transactionAmount")?,
    );
    checks.required("transactionDate", on);
    checks.required("transactionAmount", amount);
    checks.finish()?;
    let mut loan = desk.books.loan(order.id)?.clone();
    let product = desk.books.product(loan.terms.product_id)?.clone();
    let found = desk
        .books
        .transaction(&loan, &Named::Number(order.transaction_id))?;
    let (id, external_id) = (found.id, found.external_id.clone());
    for transaction in loan
        .transactions
        .iter_mut()
        .filter(|transaction| transaction.id == id)
    {
        transaction.reversed_on = Some(desk.today);
        transaction.manually_reversed = true;
    }
    let amount = amount.unwrap_or_default().round_dp(2);
    if !amount.is_zero() {
        let parts = spend(&mut with_payments(&loan, &product), amount);
        loan.transactions.push(Transaction {
            id: next(&mut desk.books.ids.transaction),
            kind: Kind::Repayment,
            on: on.unwrap_or(desk.today),
            amount,
            external_id: None,
            payment: None,
            outstanding: outstanding(&loan) - parts.principal,
            parts,
            submitted_on: desk.today,
            reversed_on: None,
            manually_reversed: false,
        });
    }
    settle_status(&mut loan, &product, desk);
    let outcome = Outcome {
        resource_id: Some(id),
        resource_external_id: external_id,
        ..loan.changed(changes(params))
    };
    desk.books.loans.insert(loan.id, loan);
    Ok(outcome)
}

/// Active, closed or overpaid, by what the repayments leave.
fn settle_status(loan: &mut Loan, product: &crate::sandbox::products::Product, desk: &Desk<'_>) {
    let repayments = loan
        .standing()
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
                on: last.unwrap_or(desk.today),
                by: desk.user.who.clone(),
            }),
        ),
        (true, false) => (ACTIVE, None),
    };
}

/// The keys sent, in Fineract's order; the amount is a text.
fn changes(params: &Params) -> Object {
    let amount = params.raw("transactionAmount").map(|amount| match amount {
        Json::Number(text) => text.replace(',', ""),
        other => other.as_text().unwrap_or_default().replace(',', ""),
    });
    let head = object! {
        "transactionDate": params.text("transactionDate"),
        "transactionAmount": amount,
        "locale": params.text("locale"),
        "dateFormat": params.text("dateFormat"),
        "paymentTypeId": params.raw("paymentTypeId").cloned(),
        "note": params.text("note"),
        "externalId": params.text("externalId"),
    };
    PAYMENT_DETAILS
        .iter()
        .fold(head, |all, name| all.with(name, params.text(name)))
}
