use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{Kind, Loan, Transaction, closing, enums};
use crate::books::{Books, Named};
use crate::failure::Failure;
use crate::json::{Json, Object, object};
use crate::params::Params;
use crate::products::Product;

/// The transactions, sorted by date. If a disbursement was undone, the list omits the transactions that this undo
/// reversed (`docs/fineract/payments.md`, "Undone payments").
pub(super) fn list(_books: &Books, loan: &Loan, product: &Product) -> Vec<Object> {
    let mut shown: Vec<&Transaction> = loan
        .transactions
        .iter()
        .filter(|transaction| transaction.reversed_on.is_none() || transaction.manually_reversed)
        .collect();
    shown.sort_by_key(|transaction| transaction.on);
    shown
        .into_iter()
        .map(|transaction| described(loan, product, transaction))
        .collect()
}

/// A transaction, as `GET /loans/{id}/transactions/{id}` returns it.
pub(crate) fn read_transaction(
    books: &Books,
    loan_id: i64,
    name: &Named,
) -> Result<Object, Failure> {
    let loan = books.loan(loan_id)?;
    let transaction = books.transaction(loan, name)?;
    Ok(described(
        loan,
        books.product(loan.terms.product_id)?,
        transaction,
    ))
}

fn described(loan: &Loan, product: &Product, transaction: &Transaction) -> Object {
    let part = |amount: Decimal| {
        if amount.is_zero() {
            Json::from(0_i64)
        } else {
            amount.into()
        }
    };
    let parts = transaction.parts;
    let outstanding = if transaction.kind == Kind::Accrual {
        0_i64.into()
    } else {
        Json::from(transaction.outstanding)
    };
    object! {
        "id": transaction.id,
        "loanId": loan.id,
        "externalLoanId": loan.external_id(),
        "officeId": 1_i64,
        "officeName": "Head Office",
        "type": enums::transaction_type(transaction.kind),
        "date": transaction.on,
        "currency": product.get("currency").cloned(),
        "paymentDetailData": transaction.payment.clone(),
        "amount": transaction.amount,
        "netDisbursalAmount": loan.net_disbursal,
        "principalPortion": part(parts.principal),
        "interestPortion": part(parts.interest),
        "feeChargesPortion": part(parts.fees),
        "penaltyChargesPortion": 0_i64,
        "overpaymentPortion": part(parts.overpayment),
        "unrecognizedIncomePortion": 0_i64,
        "externalId": transaction.external_id.as_deref(),
        "outstandingLoanBalance": outstanding,
        "submittedOnDate": transaction.submitted_on,
        "manuallyReversed": transaction.manually_reversed,
        "loanChargePaidByList": paid_charges(loan, transaction),
        "numberOfRepayments": 0_i64,
        "reversedOnDate": transaction.reversed_on,
        "transactionRelations": Vec::<Json>::new(),
    }
}

fn paid_charges(loan: &Loan, transaction: &Transaction) -> Vec<Object> {
    let charges = if transaction.kind == Kind::ChargeAtDisbursement {
        loan.charges.as_slice()
    } else {
        &[]
    };
    let described = |charge: &super::Charge| {
        object! {
            "id": charge.id,
            "amount": charge.amount,
            "chargeId": charge.id,
            "transactionId": transaction.id,
            "name": charge.definition.get("name").cloned(),
        }
    };
    charges.iter().map(described).collect()
}

/// The preview of a foreclosure (`GET …/transactions/template?command=foreclosure`).
pub(crate) fn template(
    books: &Books,
    loan_id: i64,
    params: &Params,
    today: NaiveDate,
) -> Result<Object, Failure> {
    let loan = books.loan(loan_id)?;
    let product = books.product(loan.terms.product_id)?;
    let on = params.date("transactionDate")?.unwrap_or(today);
    let due = closing::payoff(loan, product, on);
    let payment_types: Vec<Object> = books.payment_types.values().cloned().collect();
    Ok(object! {
        "loanId": loan.id,
        "externalLoanId": loan.external_id(),
        "type": enums::transaction_type(Kind::Repayment),
        "date": today,
        "currency": product.get("currency").cloned(),
        "amount": Json::cents(due.principal + due.interest),
        "netDisbursalAmount": loan.net_disbursal,
        "principalPortion": Json::cents(due.principal),
        "interestPortion": Json::cents(due.interest),
        "feeChargesPortion": Json::cents(due.fees),
        "penaltyChargesPortion": Json::cents(due.fees),
        "outstandingLoanBalance": Json::cents(due.principal),
        "manuallyReversed": false,
        "paymentTypeOptions": payment_types,
        "numberOfRepayments": 0_i64,
    })
}
