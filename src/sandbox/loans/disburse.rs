use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{ACTIVE, APPROVED, Kind, Loan, Parts, Stamp, Transaction, charges, schedule, status};
use crate::sandbox::books::{Books, Desk, next};
use crate::sandbox::failure::{Failure, Item};
use crate::sandbox::json::{Json, Object, object};
use crate::sandbox::operations::{Order, Outcome, Posting};
use crate::sandbox::params::{Checks, Params};
use crate::sandbox::products::Product;

const SUPPORTED: &[&str] = &[
    "actualDisbursementDate",
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
    "adjustRepaymentDate",
    "transactionAmount",
    "fixedEmiAmount",
    "postDatedChecks",
    "netDisbursalAmount",
];

/// The payment details, in the order in which `changes` shows them.
pub(super) const PAYMENT_DETAILS: [&str; 5] = [
    "accountNumber",
    "checkNumber",
    "routingCode",
    "receiptNumber",
    "bankNumber",
];

/// Pays a loan out, with the checks in the order of `CONTRACT.md` section 10.4 and the holes of section 10.5.
pub(in crate::sandbox) fn disburse(desk: &mut Desk<'_>, order: &Order) -> Result<Outcome, Failure> {
    let params = &order.params;
    params.only(SUPPORTED)?;
    let mut checks = Checks::of("loan.disbursement");
    let paid_on = params.date("actualDisbursementDate")?;
    checks.required("actualDisbursementDate", paid_on);
    let amount = params.decimal("transactionAmount")?;
    checks.positive("transactionAmount", amount);
    checks.longest("note", params.text("note").as_deref(), 1000);
    for detail in PAYMENT_DETAILS {
        checks.longest(detail, params.text(detail).as_deref(), 50);
    }
    let Some(paid_on) = paid_on else {
        checks.finish()?;
        return Err(Failure::Unmapped("no date".to_owned()));
    };
    let mut loan = desk.books.loan(order.id)?.clone();
    desk.books.client(loan.client_id)?.must_be_active()?;
    let product = desk.books.product(loan.terms.product_id)?.clone();
    state_and_date_hold(&loan, &product, paid_on, checks)?;
    if paid_on > desk.today {
        let args = vec![paid_on.to_string().into()];
        return Err(Failure::rule(
            "error.msg.loan.disbursal.cannot.be.a.future.date",
            args,
        ));
    }
    let payment_type = payment_type(desk.books, params)?;
    let amount = take(
        &mut loan,
        &product,
        amount.map(|amount| amount.round_dp(2)),
        paid_on,
    )?;
    if amount.is_zero() {
        return Err(Failure::Unmapped("Division by zero".to_owned()));
    }
    let external_id = params.text("externalId");
    transaction_id_is_free(desk.books, external_id.as_deref())?;

    let changes = object! {
        "locale": params.text("locale"),
        "dateFormat": params.text("dateFormat"),
        "actualDisbursementDate": params.text("actualDisbursementDate"),
        "status": status(ACTIVE),
        "note": params.text("note"),
    };
    let changes = detail_changes(params, payment_type.is_some())
        .iter()
        .chain(changes.iter())
        .fold(Object::default(), |all, (key, value)| {
            all.with(key, value.clone())
        });
    let payment = payment_type.map(|payment_type| payment(desk.books, &payment_type, params));
    let first = loan.disbursed.is_none();
    loan.status = ACTIVE;
    if loan
        .disbursed
        .as_ref()
        .is_none_or(|stamp| paid_on < stamp.on)
    {
        loan.disbursed = Some(Stamp {
            on: paid_on,
            by: desk.user.who.clone(),
        });
    }
    let due = if first {
        loan.charges_at_disbursement()
    } else {
        Decimal::ZERO
    };
    loan.net_disbursal = amount - due;
    let transaction = Transaction {
        id: next(&mut desk.books.ids.transaction),
        kind: Kind::Disbursement,
        on: paid_on,
        amount,
        external_id: external_id.clone(),
        payment,
        outstanding: outstanding(&loan) + amount,
        parts: Parts::default(),
        submitted_on: desk.today,
        reversed_on: None,
        manually_reversed: false,
    };
    let transaction_id = transaction.id;
    loan.transactions.push(transaction);
    if first && !due.is_zero() {
        pay_charges(&mut loan, due, desk);
    }
    accrue(&mut loan, &product, desk);
    let cycle = desk
        .books
        .cycles
        .entry((loan.client_id, product.id))
        .or_default();
    *cycle += 1;
    loan.cycle = *cycle;
    let outcome = Outcome {
        sub_resource_id: Some(transaction_id),
        sub_resource_external_id: external_id.clone(),
        posting: Posting {
            external_id: loan.terms.external_id.clone(),
            transaction_external_id: external_id.clone(),
            amount: Some(amount),
        },
        ..loan.changed(changes)
    };
    desk.books
        .transactions_by_external_id
        .extend(external_id.map(|id| (id, (loan.id, transaction_id))));
    desk.books.loans.insert(loan.id, loan);
    Ok(outcome)
}

/// "Before the approval" beats a wrong state, and that beats everything after it.
fn state_and_date_hold(
    loan: &Loan,
    product: &Product,
    paid_on: NaiveDate,
    mut checks: Checks,
) -> Result<(), Failure> {
    if let Some(approved) = loan
        .approved
        .as_ref()
        .filter(|approved| paid_on < approved.on)
    {
        let args = vec![paid_on.to_string().into(), approved.on.to_string().into()];
        return Err(Failure::rule(
            "error.msg.loan.disbursal.cannot.be.before.approval.date",
            args,
        ));
    }
    let can_be_paid =
        loan.status == APPROVED || (loan.status == ACTIVE && product.is_multi_disburse());
    if !can_be_paid {
        let code = "error.msg.loan.disbursal.account.is.not.approve.not.disbursed.state";
        checks.push(Item::new(code, "id", Vec::new()));
    }
    checks.finish()
}

/// Takes the amount from the open tranche, or, where none is open, from nowhere: Fineract pays the whole principal again,
/// or whatever is asked (`CONTRACT.md` section 10.5).
fn take(
    loan: &mut Loan,
    product: &Product,
    asked: Option<Decimal>,
    paid_on: NaiveDate,
) -> Result<Decimal, Failure> {
    let next_date = loan
        .tranches
        .iter()
        .filter(|tranche| tranche.is_open())
        .map(|tranche| tranche.expected_on)
        .min();
    let mut planned = Decimal::ZERO;
    for tranche in loan
        .tranches
        .iter_mut()
        .filter(|tranche| tranche.is_open() && Some(tranche.expected_on) == next_date)
    {
        tranche.paid_on = Some(paid_on);
        tranche.principal = asked.unwrap_or(tranche.principal);
        planned += tranche.principal;
    }
    let Some(asked) = asked else {
        return Ok(if next_date.is_some() {
            planned
        } else {
            loan.principal
        });
    };
    if product.is_multi_disburse() {
        let all: Decimal = loan.tranches.iter().map(|tranche| tranche.principal).sum();
        if all > loan.approved_principal {
            let args = vec![all.into(), loan.approved_principal.into()];
            return Err(Failure::rule(
                "error.msg.loan.disburse.amount.must.be.less.than.approved.principal",
                args,
            ));
        }
        loan.principal = loan
            .tranches
            .iter()
            .filter(|tranche| !tranche.is_open())
            .map(|tranche| tranche.principal)
            .sum();
    } else {
        if asked > loan.approved_principal {
            let args = vec![Json::plain(asked), Json::plain(asked)];
            return Err(Failure::rule(
                "error.msg.loan.disburse.amount.must.be.less.than.approved.amount",
                args,
            ));
        }
        loan.principal = asked;
        charges::recalculate(loan, asked);
    }
    Ok(asked)
}

/// The payment type's JSON, where one is named.
pub(super) fn payment_type(books: &Books, params: &Params) -> Result<Option<Object>, Failure> {
    let Some(id) = params.id("paymentTypeId")? else {
        return Ok(None);
    };
    let found = books.payment_types.get(&id).cloned().map(Some);
    found.ok_or_else(|| Failure::not_found("error.msg.payment.type.invalid", vec![id.into()]))
}

/// The details that count only beside a payment type.
fn detail_changes(params: &Params, has_payment_type: bool) -> Object {
    if !has_payment_type {
        return Object::default();
    }
    let details = PAYMENT_DETAILS.iter().fold(Object::default(), |all, name| {
        all.with(name, params.text(name))
    });
    details.with("paymentTypeId", params.raw("paymentTypeId").cloned())
}

/// The `paymentDetailData` of a transaction; what was not sent is empty.
pub(super) fn payment(books: &mut Books, payment_type: &Object, params: &Params) -> Object {
    let member = |key: &str| payment_type.get(key).cloned();
    let kind = object! {"id": member("id"), "name": member("name"), "isSystemDefined": member("isSystemDefined")};
    let payment = object! {"id": next(&mut books.ids.payment_detail), "paymentType": kind};
    PAYMENT_DETAILS.iter().fold(payment, |all, name| {
        all.with(name, params.text(name).unwrap_or_default())
    })
}

/// A transaction's external id is unique in the tenant, for ever.
fn transaction_id_is_free(books: &Books, external_id: Option<&str>) -> Result<(), Failure> {
    let Some(external_id) = external_id else {
        return Ok(());
    };
    if external_id.chars().count() > 100 {
        return Err(Failure::constraint(
            "error.msg.loan.disbursement.unknown.data.integrity.issue",
        ));
    }
    if books.transactions_by_external_id.contains_key(external_id) {
        let code = "error.msg.loan.disbursement.duplicate.externalId";
        return Err(Failure::Integrity(Item::new(
            code,
            "externalId",
            vec![external_id.into()],
        )));
    }
    Ok(())
}

/// What the standing transactions leave to be repaid.
pub(super) fn outstanding(loan: &Loan) -> Decimal {
    loan.standing()
        .map(|transaction| match transaction.kind {
            Kind::Disbursement => transaction.amount,
            Kind::Repayment | Kind::WriteOff => -transaction.parts.principal,
            Kind::ChargeAtDisbursement | Kind::Accrual => Decimal::ZERO,
        })
        .sum()
}

fn pay_charges(loan: &mut Loan, due: Decimal, desk: &mut Desk<'_>) {
    let Some(paid_on) = loan.disbursed.as_ref().map(|stamp| stamp.on) else {
        return;
    };
    for charge in &mut loan.charges {
        charge.paid = true;
    }
    let parts = Parts {
        fees: due,
        ..Parts::default()
    };
    let outstanding = outstanding(loan);
    loan.transactions.push(made(
        desk,
        Kind::ChargeAtDisbursement,
        paid_on,
        (due, parts, outstanding),
    ));
}

/// The accrual of the whole interest, anew after each change of the schedule.
fn accrue(loan: &mut Loan, product: &Product, desk: &mut Desk<'_>) {
    let Some(on) = loan.disbursed.as_ref().map(|stamp| stamp.on) else {
        return;
    };
    loan.transactions.retain(|transaction| {
        transaction.kind != Kind::Accrual || transaction.reversed_on.is_some()
    });
    let interest: Decimal = schedule::installments(loan, product)
        .iter()
        .map(|part| part.interest)
        .sum();
    let parts = Parts {
        interest,
        ..Parts::default()
    };
    loan.transactions.push(made(
        desk,
        Kind::Accrual,
        on,
        (interest, parts, Decimal::ZERO),
    ));
}

/// A transaction that Fineract makes by itself.
fn made(
    desk: &mut Desk<'_>,
    kind: Kind,
    on: NaiveDate,
    (amount, parts, outstanding): (Decimal, Parts, Decimal),
) -> Transaction {
    Transaction {
        id: next(&mut desk.books.ids.transaction),
        kind,
        on,
        amount,
        external_id: None,
        payment: None,
        outstanding,
        parts,
        submitted_on: desk.today,
        reversed_on: None,
        manually_reversed: false,
    }
}
