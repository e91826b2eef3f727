//! The operations that the callers of a round send. All operation types occur.

use std::time::Duration;

use serde_json::{Value, json};

use fineract_gateway::domain::{Amount, OperationType};

/// An operation to be sent.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) operation_type: OperationType,
    pub(super) data: Value,
    /// The lane that the operation writes.
    pub(super) lane: String,
    /// The lane that the operation reads.
    pub(super) reads: Option<String>,
    /// What Fineract must contain after the operation's effect: a client's last name, or a loan's principal. `None` if
    /// this is not compared.
    pub(super) value: Option<String>,
    /// The amount to disburse or repay, if the request has one.
    pub(super) amount: Option<Amount>,
    /// The time from sending the operation to its `expires_at`.
    pub(super) expires_in: Option<Duration>,
}

impl Request {
    /// The same request with an `expires_at`.
    pub(super) fn within(self, expires_in: Duration) -> Self {
        Self {
            expires_in: Some(expires_in),
            ..self
        }
    }
}

/// The principal of a new loan.
pub(super) const PRINCIPAL: i64 = 100_000;
/// A lender whose loans are disbursed in one payment.
pub(super) const SINGLE: &str = "UGRO";
/// A lender whose loans are disbursed in tranches. Fineract itself would execute a repeated disbursement of such a
/// loan.
pub(super) const TRANCHES: &str = "ARTHMATE";

fn of_client(operation_type: OperationType, client: &str, data: Value) -> Request {
    Request {
        operation_type,
        data,
        lane: client_lane(client),
        reads: None,
        value: None,
        amount: None,
        expires_in: None,
    }
}

fn of_loan(operation_type: OperationType, loan: &str, data: Value) -> Request {
    Request {
        lane: loan_lane(loan),
        ..of_client(operation_type, "", data)
    }
}

/// A client's lane.
pub(super) fn client_lane(client: &str) -> String {
    format!("client:{client}")
}

/// A loan's lane.
pub(super) fn loan_lane(loan: &str) -> String {
    format!("loan:{loan}")
}

pub(super) fn client_create(client: &str, lastname: &str) -> Request {
    let data = json!({ "firstname": "Asha", "lastname": lastname, "externalId": client,
                       "activationDate": "01 January 2026" });
    Request {
        value: Some(lastname.to_owned()),
        ..of_client(OperationType::ClientCreate, client, data)
    }
}

/// Fineract refuses this create, because the activation date is in the future.
pub(super) fn client_create_too_early(client: &str) -> Request {
    let mut request = client_create(client, "Rao");
    if let Some(date) = request.data.get_mut("activationDate") {
        *date = json!("01 January 2099");
    }
    request
}

pub(super) fn client_update(client: &str, lastname: &str) -> Request {
    let data = json!({ "externalId": client, "lastname": lastname });
    Request {
        value: Some(lastname.to_owned()),
        ..of_client(OperationType::ClientUpdate, client, data)
    }
}

pub(super) fn loan_create(loan: &str, client: &str, lender: &str) -> Request {
    let data = json!({ "lenderConfig": lender, "externalId": loan, "principal": PRINCIPAL,
                       "submittedOnDate": "11 January 2026", "loanTermFrequency": 12,
                       "numberOfRepayments": 12, "interestRatePerPeriod": 8, "clientId": client });
    Request {
        reads: Some(client_lane(client)),
        value: Some(PRINCIPAL.to_string()),
        ..of_loan(OperationType::LoanCreate, loan, data)
    }
}

/// Fineract refuses this create, because the loan was submitted before the client was activated.
pub(super) fn loan_create_too_early(loan: &str, client: &str) -> Request {
    let mut request = loan_create(loan, client, SINGLE);
    if let Some(date) = request.data.get_mut("submittedOnDate") {
        *date = json!("11 January 2020");
    }
    request
}

pub(super) fn loan_update(loan: &str, principal: i64) -> Request {
    let data = json!({ "externalId": loan, "principal": principal });
    Request {
        value: Some(principal.to_string()),
        ..of_loan(OperationType::LoanUpdate, loan, data)
    }
}

pub(super) fn loan_approve(loan: &str) -> Request {
    let data = json!({ "external_loan_id": loan, "approvedOnDate": "11 January 2026" });
    of_loan(OperationType::LoanApprove, loan, data)
}

/// Disburses the amount. Without an amount, disburses everything that is due next.
pub(super) fn loan_disburse(loan: &str, amount: Option<i64>) -> Request {
    let mut data = json!({ "external_loan_id": loan, "actualDisbursementDate": "11 January 2026" });
    if let (Some(amount), Some(fields)) = (amount, data.as_object_mut()) {
        fields.insert("transactionAmount".to_owned(), json!(amount));
    }
    Request {
        amount: amount.map(|amount| Amount(amount.into())),
        ..of_loan(OperationType::LoanDisburse, loan, data)
    }
}

pub(super) fn loan_delete(loan: &str) -> Request {
    let data = json!({ "external_loan_id": loan });
    of_loan(OperationType::LoanDelete, loan, data)
}

pub(super) fn loan_repayment(loan: &str, amount: i64) -> Request {
    let data = json!({ "external_loan_id": loan, "transactionDate": "12 January 2026",
                       "transactionAmount": amount });
    Request {
        amount: Some(Amount(amount.into())),
        ..of_loan(OperationType::LoanRepayment, loan, data)
    }
}

pub(super) fn loan_reject(loan: &str) -> Request {
    let data = json!({ "external_loan_id": loan, "rejectedOnDate": "12 January 2026" });
    of_loan(OperationType::LoanReject, loan, data)
}

pub(super) fn loan_withdraw(loan: &str) -> Request {
    let data = json!({ "external_loan_id": loan, "withdrawnOnDate": "12 January 2026" });
    of_loan(OperationType::LoanWithdraw, loan, data)
}

pub(super) fn loan_undo_approval(loan: &str) -> Request {
    let data = json!({ "external_loan_id": loan });
    of_loan(OperationType::LoanUndoApproval, loan, data)
}

pub(super) fn loan_undo_disbursal(loan: &str) -> Request {
    let data = json!({ "external_loan_id": loan });
    of_loan(OperationType::LoanUndoDisbursal, loan, data)
}
