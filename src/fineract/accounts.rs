//! Reads loan accounts for callers that ask for balances.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fineract, ReadFailure, Subject, lookups::encode};
use crate::domain::Amount;

/// A loan account, with exactly the digits that Fineract shows. Fields that Fineract omits are `None`.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Account {
    /// The number that Fineract assigned to the loan.
    pub loan_id: i64,
    /// The loan's account number.
    pub account_no: Option<String>,
    /// The caller's id of the loan.
    pub external_id: Option<String>,
    /// The name of the state, as Fineract shows it.
    pub status: Option<String>,
    /// The currency's code of three letters.
    pub currency: Option<String>,
    /// The principal that was disbursed.
    pub principal_disbursed: Option<Amount>,
    /// The principal that is not repaid yet. `None` if the account comes from the list of a client's loans, which
    /// omits this amount.
    pub principal_outstanding: Option<Amount>,
    /// Principal, interest and charges that are not repaid yet.
    pub total_outstanding: Option<Amount>,
}

/// The fields that the gateway uses of a loan (`docs/fineract/loans.md`, "Reading a loan" and "The summary"), and of
/// an entry in the list of a client's loans (`docs/fineract/clients.md`, "Accounts of a client").
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoanAccount {
    id: i64,
    account_no: Option<String>,
    external_id: Option<String>,
    status: Option<Status>,
    currency: Option<Currency>,
    summary: Option<Summary>,
    original_loan: Option<Amount>,
    loan_balance: Option<Amount>,
}

#[derive(Deserialize)]
struct Status {
    value: String,
}

#[derive(Deserialize)]
struct Currency {
    code: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    principal_disbursed: Option<Amount>,
    principal_outstanding: Option<Amount>,
    total_outstanding: Option<Amount>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientAccounts {
    /// Fineract omits the field if the client has no loans.
    #[serde(default)]
    loan_accounts: Vec<LoanAccount>,
}

impl From<LoanAccount> for Account {
    fn from(loan: LoanAccount) -> Self {
        let summary = loan.summary.as_ref();
        Self {
            loan_id: loan.id,
            principal_disbursed: summary
                .and_then(|summary| summary.principal_disbursed)
                .or(loan.original_loan),
            principal_outstanding: summary.and_then(|summary| summary.principal_outstanding),
            total_outstanding: summary
                .and_then(|summary| summary.total_outstanding)
                .or(loan.loan_balance),
            account_no: loan.account_no,
            external_id: loan.external_id,
            status: loan.status.map(|status| status.value),
            currency: loan.currency.map(|currency| currency.code),
        }
    }
}

impl Fineract {
    /// The account of a loan. Empty if Fineract has no such loan.
    pub async fn loan_account(&self, external_id: &str) -> Result<Vec<Account>, ReadFailure> {
        let path = format!("/loans/external-id/{}", encode(external_id));
        let loan = self
            .read(&path, Subject::Loan, true, |body| {
                serde_json::from_str::<LoanAccount>(body)
            })
            .await?;
        Ok(loan.into_iter().map(Account::from).collect())
    }

    /// The loan accounts of a client. Empty if Fineract has no such client.
    pub async fn client_accounts(&self, external_id: &str) -> Result<Vec<Account>, ReadFailure> {
        let path = format!("/clients/external-id/{}/accounts", encode(external_id));
        let accounts = self
            .read(&path, Subject::Client, true, |body| {
                serde_json::from_str::<ClientAccounts>(body)
            })
            .await?;
        Ok(accounts
            .into_iter()
            .flat_map(|client| client.loan_accounts)
            .map(Account::from)
            .collect())
    }
}
