//! Checkers of Fineract, and what they do with the commands that wait for them.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::fineract::SandboxClient;

/// How long a late checker lets a command wait. By then, the gateway already treats the command's key as stuck.
const LATE: Duration = Duration::from_secs(8);

/// How a checker acts on waiting commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Checker {
    Rejects,
    Approves,
    ApprovesLate,
    /// Deletes the command from the list. The idempotency key of the command is then usable again.
    Deletes,
    /// Approves the command after a change of the back office. Because of that change, Fineract refuses the command.
    Fails,
    /// Approves while the gateways do not have the permission to read audits.
    IsUnseen,
}

impl Checker {
    /// Every way to act.
    pub(super) const ALL: [Self; 6] = [
        Self::Rejects,
        Self::Approves,
        Self::ApprovesLate,
        Self::Deletes,
        Self::Fails,
        Self::IsUnseen,
    ];

    /// The name in the final table, which is also the name for `--card`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rejects => "a checker rejects",
            Self::Approves => "a checker approves",
            Self::ApprovesLate => "a checker approves late",
            Self::Deletes => "a checker deletes",
            Self::Fails => "a checker's approval fails",
            Self::IsUnseen => "READ_AUDIT lost",
        }
    }

    /// The faults that the sandbox needs for this checker.
    pub(super) fn faults(self) -> Vec<Value> {
        let mut faults = vec![json!({ "fault": "maker_checker", "times": 3, "probability": 0.2 })];
        if self == Self::Fails {
            let only = |command| json!({ "fault": "maker_checker", "times": 2, "match": { "command": command } });
            faults = vec![only("approve"), only("disburse")];
        }
        if self == Self::IsUnseen {
            let audits = json!({ "method": "GET", "path": "/audits" });
            faults.push(json!({ "fault": "forbidden", "match": audits, "times": 1_000_000 }));
        }
        faults
    }
}

/// An entry of `GET /makercheckers`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Waiting {
    id: i64,
    action_name: String,
    loan_id: Option<i64>,
}

/// A checker, and when it first saw each command.
#[derive(Debug)]
pub(super) struct Desk {
    checker: Checker,
    seen: HashMap<i64, Instant>,
}

impl Desk {
    pub(super) fn of(checker: Checker) -> Self {
        Self {
            checker,
            seen: HashMap::new(),
        }
    }

    /// Processes all waiting commands. Returns how many of them were processed in the way that this checker tests.
    pub(super) async fn work(&mut self, sandbox: &SandboxClient) -> anyhow::Result<u64> {
        let list = |text: &str| serde_json::from_str::<Vec<Waiting>>(text);
        let waiting = sandbox.read("/makercheckers", list).await?;
        let mut count = 0;
        for command in waiting.unwrap_or_default() {
            count += u64::from(self.deal_with(&command, sandbox).await?);
        }
        Ok(count)
    }

    async fn deal_with(
        &mut self,
        command: &Waiting,
        sandbox: &SandboxClient,
    ) -> anyhow::Result<bool> {
        let path = format!("/makercheckers/{}", command.id);
        let approve = format!("{path}?command=approve");
        let reject = format!("{path}?command=reject");
        let since = self.seen.entry(command.id).or_insert_with(Instant::now);
        match (self.checker, in_the_way(command)) {
            (Checker::ApprovesLate, _) if since.elapsed() < LATE => return Ok(false),
            (Checker::Approves | Checker::ApprovesLate | Checker::IsUnseen, _) => {
                sandbox.write("POST", &approve, &json!({})).await?;
            }
            (Checker::Deletes, _) => sandbox.write("DELETE", &path, &json!({})).await?,
            (Checker::Fails, Some((action, body))) => {
                sandbox.write("POST", &action, &body).await?;
                sandbox
                    .write_once(&Method::POST, &approve, &json!({}))
                    .await;
            }
            (Checker::Rejects, _) => sandbox.write("POST", &reject, &json!({})).await?,
            (Checker::Fails, None) => {
                sandbox.write("POST", &reject, &json!({})).await?;
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A change of the back office (path and body) after which Fineract refuses the command.
fn in_the_way(command: &Waiting) -> Option<(String, Value)> {
    let loan = command.loan_id?;
    match command.action_name.as_str() {
        "APPROVE" => {
            let on = json!({ "rejectedOnDate": "12 January 2026", "locale": "en",
                             "dateFormat": "dd MMMM yyyy" });
            Some((format!("/loans/{loan}?command=reject"), on))
        }
        "DISBURSE" => Some((format!("/loans/{loan}?command=undoapproval"), json!({}))),
        _ => None,
    }
}
