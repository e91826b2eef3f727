//! Actions in a case that no caller of the gateway performs. The back office (the user `clerk`) performs them, or
//! Fineract itself.

use std::time::Duration;

use serde_json::{Value, json};

use super::{fineract::SandboxClient, requests::loan_lane, sandbox_faults::commands_of};
use fineract_gateway::domain::OperationType;

/// The sandbox's fault that drops a command before Fineract processes it.
const LOST_ON_ITS_WAY: &str = "reset_before";

/// An action of another writer, or of Fineract.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// Drops the answers to the next four requests with this method for this client or loan. The requests still take
    /// effect.
    LoseAnswers { method: &'static str, lane: String },
    /// Delays the effect of the next command of this type, and never answers that command. If a lane is given, only a
    /// command for that client or loan counts.
    HoldBack {
        operation_type: OperationType,
        lane: Option<String>,
        by: Duration,
    },
    /// Lets the next command of this type for this loan take effect, but answers it with a stored 500. When the gateway
    /// sends the command again, the loan becomes unreadable for the given time.
    BreakAndHide {
        operation_type: OperationType,
        loan: String,
        hides: Duration,
    },
    /// Drops the next command of this type for this loan before it reaches Fineract.
    LoseOnItsWay {
        operation_type: OperationType,
        loan: String,
    },
    /// Waits until a command was dropped on its way. Then gives the loan's number to another loan, as a restore of
    /// Fineract may do.
    Renumber { loan: String },
    /// Waits until an operation of this type has had its effect.
    AwaitEffect {
        operation_type: OperationType,
        lane: String,
    },
    /// Restarts Fineract with these settings for idempotency keys.
    RestartWithKeys(Value),
    /// Disburses a loan in the name of the back office.
    Pay { loan: String },
    /// Changes a client's external id.
    Rename { client: String },
    /// Deletes a loan.
    Delete { loan: String },
    /// Submits a new application under the external id of a deleted loan.
    Recreate { loan: String, client: String },
}

impl Action {
    /// Performs the action.
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
            } => hold_back(sandbox, *operation_type, lane.as_deref(), *by).await,
            Self::BreakAndHide {
                operation_type,
                loan,
                hides,
            } => {
                let matched = commands_of(*operation_type);
                let breaks =
                    json!({ "match": matched.clone(), "fault": "status_500", "effect": true });
                aim_at(sandbox, &loan_lane(loan), breaks).await?;
                let hides =
                    json!({ "match": matched, "fault": "slow", "hides_ms": in_millis(*hides) });
                aim_at(sandbox, &loan_lane(loan), hides).await
            }
            Self::Renumber { loan } => {
                sandbox.await_hit(LOST_ON_ITS_WAY).await?;
                sandbox.renumber(loan).await
            }
            Self::LoseOnItsWay {
                operation_type,
                loan,
            } => {
                let matched = commands_of(*operation_type);
                let fault = json!({ "match": matched, "fault": LOST_ON_ITS_WAY, "times": 1 });
                aim_at(sandbox, &loan_lane(loan), fault).await
            }
            Self::AwaitEffect {
                operation_type,
                lane,
            } => sandbox.await_effect(*operation_type, lane).await,
            Self::RestartWithKeys(keys) => sandbox.restart_with_keys(keys).await,
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

async fn hold_back(
    sandbox: &SandboxClient,
    operation_type: OperationType,
    lane: Option<&str>,
    by: Duration,
) -> anyhow::Result<()> {
    let mut aim = commands_of(operation_type);
    if let (Some(lane), Some(path)) = (lane, aim.get_mut("path"))
        && let Some(of_lane) = sandbox.path_of(lane).await?
    {
        *path = json!(of_lane);
    }
    let fault =
        json!({ "match": aim, "fault": "late_effect", "times": 1, "delay_ms": in_millis(by) });
    sandbox.add_fault(&fault).await
}

fn in_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Restricts a fault to requests for this client or loan, and adds the fault. Does nothing if the client or loan does
/// not exist.
async fn aim_at(sandbox: &SandboxClient, lane: &str, mut fault: Value) -> anyhow::Result<()> {
    let Some(path) = sandbox.path_of(lane).await? else {
        return Ok(());
    };
    if let Some(matched) = fault.get_mut("match").and_then(Value::as_object_mut) {
        matched.insert("path".to_owned(), json!(path));
    }
    sandbox.add_fault(&fault).await
}

/// A loan application of the back office, with the terms of the product of the lender `SINGLE`.
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
