//! What others do in a story: the back office, as `clerk`, and Fineract itself.

use std::time::Duration;

use serde_json::{Value, json};

use super::{fineract::SandboxClient, requests::loan_lane, sandbox_faults::commands_of};
use crate::domain::OperationType;

/// What somebody else does.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    /// From now on every answer about this client or loan to this method is lost, after the effect.
    LoseAnswers { method: &'static str, lane: String },
    /// The next command of this type commits this much later, unanswered; of this client or loan only,
    /// where one is named.
    HoldBack {
        operation_type: OperationType,
        lane: Option<String>,
        by: Duration,
    },
    /// The next repayment of this loan takes effect and is answered with a 500, which is stored.
    BreakRepayment { loan: String },
    /// For so long this loan cannot be read.
    Hide { loan: String, lasts: Duration },
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
                let fault =
                    json!({ "match": { "method": method }, "fault": "reset_after", "times": 4 });
                aim_at(sandbox, lane, fault).await
            }
            Self::HoldBack {
                operation_type,
                lane,
                by,
            } => {
                let mut aim = commands_of(*operation_type);
                if let (Some(lane), Some(path)) = (lane, aim.get_mut("path"))
                    && let Some(of_lane) = sandbox.path_of(lane).await?
                {
                    *path = json!(of_lane);
                }
                let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
                let fault =
                    json!({ "match": aim, "fault": "late_effect", "times": 1, "delay_ms": by });
                sandbox.add_fault(&fault).await
            }
            Self::BreakRepayment { loan } => {
                let fault = json!({ "match": { "method": "POST", "command": "repayment" },
                                    "fault": "status_500", "effect": true, "times": 1 });
                aim_at(sandbox, &loan_lane(loan), fault).await
            }
            Self::Hide { loan, lasts } => {
                let lasts = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
                let fault = json!({ "match": { "method": "GET" }, "fault": "status_502_after",
                                    "times": 1_000_000, "lasts_ms": lasts });
                aim_at(sandbox, &loan_lane(loan), fault).await
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

/// Has a fault strike what is about this client or loan, if that is there.
async fn aim_at(sandbox: &SandboxClient, lane: &str, mut fault: Value) -> anyhow::Result<()> {
    let Some(path) = sandbox.path_of(lane).await? else {
        return Ok(());
    };
    if let Some(matched) = fault.get_mut("match").and_then(Value::as_object_mut) {
        matched.insert("path".to_owned(), json!(path));
    }
    sandbox.add_fault(&fault).await
}

/// An application as the back office files it, on the terms of the product of `SINGLE`.
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
