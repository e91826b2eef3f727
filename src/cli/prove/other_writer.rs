//! Somebody else who writes to Fineract: the back office, as `clerk`. And stories that need one.

use serde_json::{Value, json};

use super::{
    fineract::SandboxClient,
    requests::{
        SINGLE, TRANCHES, client_create, client_lane, client_update, loan_approve, loan_create,
        loan_delete, loan_disburse, loan_lane, loan_update,
    },
    story::Step,
};
use crate::domain::OperationType;

/// What another writer, or Fineract itself, does in a story.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    /// From now on every answer about this client or loan to this method is lost, after the effect.
    LoseAnswers { method: &'static str, lane: String },
    /// It waits until an operation of this type has had its effect.
    AwaitEffect {
        operation_type: OperationType,
        lane: String,
    },
    /// It pays a loan out.
    Pay { loan: String },
    /// It gives a client another external id.
    Rename { client: String },
    /// It deletes a loan.
    Delete { loan: String },
    /// It files an application under the same external id.
    Recreate { loan: String, client: String },
}

impl Deed {
    /// Does it.
    pub(super) async fn run(&self, sandbox: &SandboxClient) -> anyhow::Result<()> {
        match self {
            Self::LoseAnswers { method, lane } => {
                let Some(path) = sandbox.path_of(lane).await? else {
                    return Ok(());
                };
                let fault = json!({ "match": { "method": method, "path": path },
                                    "fault": "reset_after", "times": 4 });
                sandbox.add_fault(&fault).await
            }
            Self::AwaitEffect {
                operation_type,
                lane,
            } => sandbox.await_effect(*operation_type, lane).await,
            Self::Pay { loan } => {
                let body = json!({ "actualDisbursementDate": "11 January 2026", "transactionAmount": 60_000,
                                   "locale": "en", "dateFormat": "dd MMMM yyyy" });
                let path = format!("/loans/external-id/{loan}?command=disburse");
                sandbox.write("POST", &path, &body).await
            }
            Self::Rename { client } => {
                let path = format!("/clients/external-id/{client}");
                let body = json!({ "externalId": format!("{client}-renamed") });
                sandbox.write("PUT", &path, &body).await
            }
            Self::Delete { loan } => {
                let path = format!("/loans/external-id/{loan}");
                sandbox.write("DELETE", &path, &Value::Null).await
            }
            Self::Recreate { loan, client } => {
                let client = sandbox.client(client).await?;
                let client = client.map_or(0, |client| client.id);
                sandbox
                    .write("POST", "/loans", &application(loan, client))
                    .await
            }
        }
    }
}

/// An application as the back office files it, on the terms of the product of [`SINGLE`].
fn application(loan: &str, client: i64) -> Value {
    json!({
        "clientId": client, "productId": 2, "externalId": loan, "loanType": "individual",
        "principal": 55_000, "submittedOnDate": "11 January 2026",
        "expectedDisbursementDate": "11 January 2026",
        "loanTermFrequency": 12, "loanTermFrequencyType": 2, "numberOfRepayments": 12,
        "repaymentEvery": 1, "repaymentFrequencyType": 2, "interestRatePerPeriod": 9,
        "amortizationType": 1, "interestType": 0, "interestCalculationPeriodType": 1,
        "transactionProcessingStrategyCode": "mifos-standard-strategy",
        "locale": "en", "dateFormat": "dd MMMM yyyy",
    })
}

/// The back office pays a loan out before we do: Fineract would pay it a second time.
pub(super) fn pays(client: &str, loan: &str) -> Vec<Step> {
    vec![
        Step::Send(client_create(client, "Rao")),
        Step::Send(loan_create(loan, client, TRANCHES)),
        Step::Send(loan_approve(loan)),
        Step::Ended,
        Step::Other(Deed::Pay {
            loan: loan.to_owned(),
        }),
        Step::Send(loan_disburse(loan, Some(60_000))),
        Step::Send(loan_disburse(loan, None)),
    ]
}

/// The back office renames a client after our change of it, and before we know that it was made.
pub(super) fn renames(client: &str, _: &str) -> Vec<Step> {
    let mut change = client_update(client, "Badgujar");
    change.value = None;
    vec![
        Step::Send(client_create(client, "Rao")),
        Step::Ended,
        Step::Other(Deed::LoseAnswers {
            method: "PUT",
            lane: client_lane(client),
        }),
        Step::Send(change.clone()),
        Step::Other(Deed::AwaitEffect {
            operation_type: OperationType::ClientUpdate,
            lane: client_lane(client),
        }),
        Step::Other(Deed::Rename {
            client: client.to_owned(),
        }),
        Step::Send(change),
    ]
}

/// The back office deletes a loan after our change of it, and before we know that it was made.
pub(super) fn deletes(client: &str, loan: &str) -> Vec<Step> {
    vec![
        Step::Send(client_create(client, "Rao")),
        Step::Send(loan_create(loan, client, SINGLE)),
        Step::Ended,
        Step::Other(Deed::LoseAnswers {
            method: "PUT",
            lane: loan_lane(loan),
        }),
        Step::Send(loan_update(loan, 70_000)),
        Step::Other(Deed::AwaitEffect {
            operation_type: OperationType::LoanUpdate,
            lane: loan_lane(loan),
        }),
        Step::Other(Deed::Delete {
            loan: loan.to_owned(),
        }),
        Step::Send(loan_approve(loan)),
        Step::Send(loan_delete(loan)),
    ]
}

/// The back office files a loan again that we deleted, before we know that we did.
pub(super) fn recreates(client: &str, loan: &str) -> Vec<Step> {
    vec![
        Step::Send(client_create(client, "Rao")),
        Step::Send(loan_create(loan, client, SINGLE)),
        Step::Ended,
        Step::Other(Deed::LoseAnswers {
            method: "DELETE",
            lane: loan_lane(loan),
        }),
        Step::Send(loan_delete(loan)),
        Step::Other(Deed::AwaitEffect {
            operation_type: OperationType::LoanDelete,
            lane: loan_lane(loan),
        }),
        Step::Other(Deed::Recreate {
            loan: loan.to_owned(),
            client: client.to_owned(),
        }),
        Step::Send(loan_approve(loan)),
        Step::Send(loan_disburse(loan, None)),
    ]
}
