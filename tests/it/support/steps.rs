//! The steps of a loan, as a caller sends them.

use serde_json::{Value, json};

use super::system::Caller;

/// An operation as it is handed in.
pub(crate) fn envelope(operation_type: &str, data: Value) -> Value {
    let mut body = json!({ "status": operation_type });
    body["data"] = data;
    body
}

/// `CLIENT_CREATE`.
pub(crate) fn client(external_id: &str) -> Value {
    json!({ "firstname": "Jayesh", "lastname": "Badgujar", "externalId": external_id,
            "activationDate": "01 January 2026" })
}

/// `CLIENT_UPDATE`.
pub(crate) fn rename(external_id: &str) -> Value {
    json!({ "externalId": external_id, "lastname": "Rao" })
}

/// `LOAN_CREATE` of 100,000.
pub(crate) fn loan(external_id: &str, client: &str) -> Value {
    json!({ "lenderConfig": "UGRO", "externalId": external_id, "principal": 100_000,
            "submittedOnDate": "11 January 2026", "loanTermFrequency": 12,
            "numberOfRepayments": 12, "interestRatePerPeriod": 8, "clientId": client })
}

/// `LOAN_APPROVE`.
pub(crate) fn approve(external_id: &str) -> Value {
    json!({ "external_loan_id": external_id, "approvedOnDate": "11 January 2026" })
}

/// `LOAN_DISBURSE`.
pub(crate) fn disburse(external_id: &str) -> Value {
    json!({ "external_loan_id": external_id, "actualDisbursementDate": "11 January 2026" })
}

/// `LOAN_REPAYMENT`.
pub(crate) fn repayment(external_id: &str, amount: f64) -> Value {
    json!({ "external_loan_id": external_id, "transactionDate": "12 February 2026",
            "transactionAmount": amount })
}

impl Caller {
    /// Runs an operation that must succeed; Fineract's answer.
    pub(crate) async fn succeeds(&self, operation_type: &str, data: Value) -> Value {
        let end = self.run(operation_type, data).await;
        assert_eq!(end["status"], "success", "{end}");
        end["success_response"].clone()
    }

    /// Files an application, with a client of its own.
    pub(crate) async fn file(&self, loan_id: &str) {
        let client_id = format!("C-{loan_id}");
        self.succeeds("CLIENT_CREATE", client(&client_id)).await;
        self.succeeds("LOAN_CREATE", loan(loan_id, &client_id))
            .await;
    }

    /// Files an application, approves it and pays it out.
    pub(crate) async fn pay_out(&self, loan_id: &str) {
        self.file(loan_id).await;
        self.succeeds("LOAN_APPROVE", approve(loan_id)).await;
        self.succeeds("LOAN_DISBURSE", disburse(loan_id)).await;
    }
}
