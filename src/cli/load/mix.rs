//! What a load is made of.

use serde_json::{Value, json};

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Mix {
    /// New clients only.
    Clients,
    /// New borrowers: client, loan, approval and disbursement, sent at once.
    Lives,
}

const LENDERS: [&str; 4] = ["UGRO", "DMI", "VIVRITI", "IKF"];

impl Mix {
    /// The operations of one new borrower, whose name is unique.
    pub(super) fn operations(self, borrower: &str, number: usize) -> Vec<Value> {
        let client = json!({ "status": "CLIENT_CREATE", "data": {
            "firstname": "Load", "lastname": "Test", "externalId": format!("C-{borrower}"),
            "activationDate": "01 January 2026" } });
        if self == Self::Clients {
            return vec![client];
        }
        let loan = format!("L-{borrower}");
        let lender = LENDERS
            .get(number % LENDERS.len())
            .copied()
            .unwrap_or_default();
        vec![
            client,
            json!({ "status": "LOAN_CREATE", "data": {
                "lenderConfig": lender, "externalId": loan, "principal": 100_000,
                "submittedOnDate": "11 January 2026", "loanTermFrequency": 12,
                "numberOfRepayments": 12, "interestRatePerPeriod": 8,
                "clientId": format!("C-{borrower}") } }),
            json!({ "status": "LOAN_APPROVE", "data": {
                "external_loan_id": loan, "approvedOnDate": "11 January 2026" } }),
            json!({ "status": "LOAN_DISBURSE", "data": {
                "external_loan_id": loan, "actualDisbursementDate": "11 January 2026" } }),
        ]
    }
}
