use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{
    ACTIVE, Kind, Loan, Parts, Stamp, Transaction, charges, payment, schedule, status, tranches,
};
use crate::books::{Books, Context};
use crate::failure::{Failure, Item};
use crate::json::{Json, Object};
use crate::operations::{Input, Outcome, Posting};
use crate::params::{Checks, Params};
use crate::products::Product;

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

/// Disburses a loan. Makes only the checks that Fineract makes, in the same order (`docs/fineract/payments.md`,
/// "Refusals of a payout" and "Paying beyond the tranches").
pub(crate) fn disburse(context: &mut Context<'_>, input: &Input) -> Result<Outcome, Failure> {
    let params = &input.params;
    params.only(SUPPORTED)?;
    let mut checks = Checks::of("loan.disbursement");
    let paid_on = params.date("actualDisbursementDate")?;
    let paid_on = checks.required("actualDisbursementDate", paid_on);
    let asked = params.decimal("transactionAmount")?;
    checks.positive("transactionAmount", asked);
    payment::check(params, &mut checks);
    if context.release.is_1_10_1() {
        checks.finish()?;
        checks = Checks::of("loan.disbursement");
    }
    let mut loan = context.books.loan(input.id)?.clone();
    context.books.client(loan.client_id)?.must_be_active()?;
    let product = context.books.product(loan.terms.product_id)?.clone();
    let is_payable = tranches::is_payable(&loan, &product, context.release);
    let paid_on = check_state_and_date(&loan, is_payable, paid_on, checks)?;
    if paid_on > context.today {
        let args = vec![paid_on.to_string().into()];
        return Err(Failure::rule(
            "error.msg.loan.disbursal.cannot.be.a.future.date",
            args,
        ));
    }
    let payment_type = payment::payment_type(context.books, params)?;
    let amount = take(
        &mut loan,
        &product,
        asked.map(|asked| asked.round_dp(2)),
        paid_on,
    )?;
    if amount.is_zero() {
        return Err(Failure::Unmapped("Division by zero".to_owned()));
    }
    let external_id = params.text("externalId");
    check_transaction_id(context.books, external_id.as_deref())?;

    let changes = changes(params, payment_type.is_some());
    let payment = payment_type.map(|kind| payment::described(context.books, &kind, params));
    let paid = Transaction {
        external_id: external_id.clone(),
        payment,
        ..Transaction::made(context, Kind::Disbursement, paid_on, amount)
    };
    let transaction_id = paid.id;
    book(context, &mut loan, &product, paid);
    loan.note(context, params, None);
    let posting = Posting {
        external_id: loan.terms.external_id.clone(),
        transaction_external_id: external_id.clone(),
        amount: Some(amount),
    };
    let outcome = Outcome {
        sub_resource_id: Some(transaction_id),
        sub_resource_external_id: external_id.clone(),
        posting,
        ..loan.changed(changes)
    };
    let taken = external_id.map(|external_id| (external_id, (loan.id, transaction_id)));
    context.books.transactions_by_external_id.extend(taken);
    context.books.loans.insert(loan.id, loan);
    Ok(outcome)
}

fn changes(params: &Params, has_payment_type: bool) -> Object {
    let details = if has_payment_type {
        payment::changes(params)
    } else {
        Object::default()
    };
    details
        .with("locale", params.text("locale"))
        .with("dateFormat", params.text("dateFormat"))
        .with(
            "actualDisbursementDate",
            params.text("actualDisbursementDate"),
        )
        .with("status", status(ACTIVE))
        .with("note", params.text("note"))
}

/// Books the disbursement and the accrual of the interest. The first disbursement also pays the loan's charges.
fn book(context: &mut Context<'_>, loan: &mut Loan, product: &Product, mut paid: Transaction) {
    let is_first = loan.disbursed.is_none();
    loan.status = ACTIVE;
    if loan
        .disbursed
        .as_ref()
        .is_none_or(|stamp| paid.on < stamp.on)
    {
        loan.disbursed = Some(Stamp {
            on: paid.on,
            by: context.user.who.clone(),
        });
    }
    let due = if is_first {
        loan.charges_at_disbursement()
    } else {
        Decimal::ZERO
    };
    loan.net_disbursal = paid.amount - due;
    paid.outstanding = loan.outstanding() + paid.amount;
    loan.transactions.push(paid);
    if !due.is_zero() {
        pay_charges(context, loan, due);
    }
    accrue(context, loan, product);
    let cycle = context
        .books
        .cycles
        .entry((loan.client_id, product.id))
        .or_default();
    *cycle += 1;
    loan.cycle = *cycle;
}

fn pay_charges(context: &mut Context<'_>, loan: &mut Loan, due: Decimal) {
    let Some(paid_on) = loan.disbursed.as_ref().map(|stamp| stamp.on) else {
        return;
    };
    for charge in &mut loan.charges {
        charge.paid = true;
    }
    let paid = Transaction {
        parts: Parts {
            fees: due,
            ..Parts::default()
        },
        outstanding: loan.outstanding(),
        ..Transaction::made(context, Kind::ChargeAtDisbursement, paid_on, due)
    };
    loan.transactions.push(paid);
}

/// Books the accrual of the whole interest. First removes the accrual of an earlier disbursement, because a further
/// disbursement changes the schedule.
fn accrue(context: &mut Context<'_>, loan: &mut Loan, product: &Product) {
    let Some(on) = loan.disbursed.as_ref().map(|stamp| stamp.on) else {
        return;
    };
    loan.transactions
        .retain(|known| known.kind != Kind::Accrual || known.reversed_on.is_some());
    let interest = schedule::installments(loan, product)
        .iter()
        .map(|part| part.interest)
        .sum();
    let accrued = Transaction {
        parts: Parts {
            interest,
            ..Parts::default()
        },
        ..Transaction::made(context, Kind::Accrual, on, interest)
    };
    loan.transactions.push(accrued);
}

/// Checks date and state. A date before the approval is reported without any other error. A wrong state is reported
/// together with the errors of the fields.
fn check_state_and_date(
    loan: &Loan,
    is_payable: bool,
    paid_on: Option<NaiveDate>,
    mut checks: Checks,
) -> Result<NaiveDate, Failure> {
    if let Some((paid_on, approved)) = paid_on
        .zip(loan.approved.as_ref())
        .filter(|(paid_on, approved)| *paid_on < approved.on)
    {
        let args = vec![paid_on.to_string().into(), approved.on.to_string().into()];
        return Err(Failure::rule(
            "error.msg.loan.disbursal.cannot.be.before.approval.date",
            args,
        ));
    }
    if !is_payable {
        let code = "error.msg.loan.disbursal.account.is.not.approve.not.disbursed.state";
        checks.push(Item::new(code, "id", Vec::new()));
    }
    match paid_on {
        Some(paid_on) => checks.finish().map(|()| paid_on),
        None => Err(checks.into_failure()),
    }
}

/// Determines the amount to pay, and marks the earliest open tranche as paid. If no tranche is open, Fineract pays
/// nevertheless: the requested amount or, if the request contains no amount, the whole principal
/// (`docs/fineract/payments.md`, "Paying beyond the tranches").
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

/// Checks the external id of a transaction. No other transaction of the tenant may have it, not even an undone one.
fn check_transaction_id(books: &Books, external_id: Option<&str>) -> Result<(), Failure> {
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
