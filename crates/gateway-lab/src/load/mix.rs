//! The operations of a load.

use serde_json::{Value, json};

/// Which operations a load sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mix {
    /// Creates new clients.
    Clients,
    /// Creates new borrowers: client, loan, approval and disbursement, sent without waiting for an end.
    Lives,
    /// Creates loans of existing clients.
    #[value(skip)]
    Loans,
    /// Approves existing loans.
    #[value(skip)]
    Approvals,
    /// Disburses approved loans.
    #[value(skip)]
    Disbursements,
}

const LENDERS: [&str; 4] = ["UGRO", "DMI", "VIVRITI", "IKF"];

impl Mix {
    /// The operations of one borrower. The borrower's name is unique.
    pub(super) fn operations(self, borrower: &str, number: usize) -> Vec<Value> {
        let client = json!({ "status": "CLIENT_CREATE", "data": {
            "firstname": "Load", "lastname": "Test", "externalId": format!("C-{borrower}"),
            "activationDate": "01 January 2026" } });
        let loan = format!("L-{borrower}");
        let lender = LENDERS
            .get(number % LENDERS.len())
            .copied()
            .unwrap_or_default();
        let create = json!({ "status": "LOAN_CREATE", "data": {
            "lenderConfig": lender, "externalId": loan, "principal": 100_000,
            "submittedOnDate": "11 January 2026", "loanTermFrequency": 12,
            "numberOfRepayments": 12, "interestRatePerPeriod": 8,
            "clientId": format!("C-{borrower}") } });
        let approve = json!({ "status": "LOAN_APPROVE", "data": {
            "external_loan_id": loan, "approvedOnDate": "11 January 2026" } });
        let disburse = json!({ "status": "LOAN_DISBURSE", "data": {
            "external_loan_id": loan, "actualDisbursementDate": "11 January 2026" } });
        match self {
            Self::Clients => vec![client],
            Self::Lives => vec![client, create, approve, disburse],
            Self::Loans => vec![create],
            Self::Approvals => vec![approve],
            Self::Disbursements => vec![disburse],
        }
    }
}
