use super::{ACTIVE, APPROVED, Kind, Loan, SUBMITTED, charges, status, wrong_state};
use crate::books::Context;
use crate::failure::Failure;
use crate::json::object;
use crate::operations::{Input, Outcome};

/// Undoes an approval. The request may contain only the key `note`.
pub(crate) fn undo_approval(context: &mut Context<'_>, input: &Input) -> Result<Outcome, Failure> {
    input.params.only(&["note"])?;
    let mut loan = context.books.loan(input.id)?.clone();
    context.books.client(loan.client_id)?.must_be_active()?;
    if loan.status != APPROVED {
        return Err(wrong_state(
            "error.msg.loan.undo.approval.account.is.not.approved",
        ));
    }
    let lowered = loan.approved_principal != loan.terms.principal;
    let principal = lowered.then_some(loan.terms.principal);
    let changes = object! {
        "status": status(SUBMITTED),
        "approvedLoanAmount": principal,
        "principal": principal,
        "approvedOnDate": "",
    };
    loan.status = SUBMITTED;
    loan.approved = None;
    loan.principal = loan.terms.principal;
    loan.approved_principal = loan.terms.principal;
    let principal = loan.principal;
    charges::recalculate(&mut loan, principal);
    loan.net_disbursal = principal - loan.charges_at_disbursement();
    let outcome = loan.changed(changes);
    context.books.loans.insert(loan.id, loan);
    Ok(outcome)
}

/// Undoes all disbursements of the loan, and reverses all its other transactions, too. Afterwards, a disbursement under
/// a new idempotency key pays again.
pub(crate) fn undo_disbursal(context: &mut Context<'_>, input: &Input) -> Result<Outcome, Failure> {
    let mut loan = context.books.loan(input.id)?.clone();
    context.books.client(loan.client_id)?.must_be_active()?;
    if loan.status != ACTIVE {
        return Err(wrong_state(
            "error.msg.loan.undo.disbursal.account.is.not.active",
        ));
    }
    let changes = object! {
        "status": status(APPROVED),
        "actualDisbursementDate": "",
        "note": input.params.text("note"),
    };
    let payments = loan
        .not_reversed()
        .filter(|transaction| transaction.kind == Kind::Disbursement)
        .count();
    if let Some(cycle) = context
        .books
        .cycles
        .get_mut(&(loan.client_id, loan.terms.product_id))
    {
        *cycle -= i64::try_from(payments).unwrap_or(0);
    }
    reverse(&mut loan, context, |_| true);
    loan.status = APPROVED;
    loan.disbursed = None;
    loan.principal = loan.approved_principal;
    for tranche in &mut loan.tranches {
        tranche.paid_on = None;
    }
    for charge in &mut loan.charges {
        charge.paid = false;
    }
    let principal = loan.principal;
    charges::recalculate(&mut loan, principal);
    loan.net_disbursal = principal - loan.charges_at_disbursement();
    let outcome = loan.changed(changes);
    context.books.loans.insert(loan.id, loan);
    Ok(outcome)
}

/// Undoes the last disbursement and removes its tranche (`docs/fineract/payments.md`, "Paying beyond the tranches").
pub(crate) fn undo_last_disbursal(
    context: &mut Context<'_>,
    input: &Input,
) -> Result<Outcome, Failure> {
    let mut loan = context.books.loan(input.id)?.clone();
    if loan.status != ACTIVE {
        return Err(wrong_state(
            "error.msg.loan.undo.last.disbursal.account.is.not.active",
        ));
    }
    if !context
        .books
        .product(loan.terms.product_id)?
        .is_multi_disburse()
    {
        let code = "error.msg.loan.product.does.not.support.multiple.disbursals.cannot.undo.last.disbursal";
        return Err(Failure::rule(code, Vec::new()));
    }
    let last_date = loan
        .tranches
        .iter()
        .filter_map(|tranche| tranche.paid_on)
        .max();
    let payments = loan
        .not_reversed()
        .filter(|transaction| transaction.kind == Kind::Disbursement);
    let last = payments
        .max_by_key(|transaction| (transaction.on, transaction.id))
        .map(|last| (last.id, last.on));
    let Some((id, _)) = last.filter(|(_, on)| Some(*on) == last_date) else {
        return Err(Failure::Unmapped(
            "no tranche for the last disbursement".to_owned(),
        ));
    };
    reverse(&mut loan, context, |transaction| transaction == id);
    loan.tranches.retain(|tranche| tranche.paid_on != last_date);
    loan.principal = loan
        .tranches
        .iter()
        .filter(|tranche| !tranche.is_open())
        .map(|tranche| tranche.principal)
        .sum();
    let changes = object! {"undolastdisbursal": "true", "disbursedAmount": loan.principal};
    let outcome = loan.changed(changes);
    context.books.loans.insert(loan.id, loan);
    Ok(outcome)
}

/// Reverses the chosen transactions, without marking them as manually reversed.
fn reverse(loan: &mut Loan, context: &Context<'_>, chosen: impl Fn(i64) -> bool) {
    let not_reversed = loan
        .transactions
        .iter_mut()
        .filter(|transaction| transaction.reversed_on.is_none());
    for transaction in not_reversed.filter(|transaction| chosen(transaction.id)) {
        transaction.reversed_on = Some(context.today);
    }
}
