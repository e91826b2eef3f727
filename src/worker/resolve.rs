//! A person says how an operation ended: it is believed when Fineract agrees, and nothing is sent.

use std::time::Duration;

use serde_json::json;

use super::{
    case::Case,
    conclude::{Conclusion, refused_unsent},
    runner::Runner,
};
use crate::{
    domain::{
        Reply, Resolution, ResourceId,
        decision::{Audit, Finding, UNSEEN},
    },
    operations::Evidence,
    store::{End, Verdict},
};

/// The code of a failure that an operator has stated.
const CODE: &str = "resolved_as_failed";

impl Runner {
    /// Reads Fineract, and ends the operation as the operator says, or parks it again. Where Fineract's
    /// books cannot tell, they do not disagree. `Ok`: the command was before a checker, and its key is to be
    /// asked what became of it, which executes nothing.
    pub(super) async fn resolve(
        &self,
        case: Case<'_>,
        resolution: Resolution,
    ) -> Result<Audit, Conclusion> {
        let waits = case.history().awaits_checker();
        let audit = if waits {
            self.audit(case).await?
        } else {
            Audit::Unseen
        };
        // What is there is nobody's to deny, whatever else may still wait.
        let found = match resolution {
            Resolution::Succeeded => match self.find(case).await? {
                (_, ours @ Evidence::Ours(_)) => {
                    return Err(self.succeeded_by(case, ours).await);
                }
                found => Some(found),
            },
            Resolution::Failed => None,
        };
        // Of what was sent to other books no key is asked: but a restored Fineract may have it wait once more.
        let is_of_these = !case.is_of_other_books();
        match (audit, resolution) {
            (Audit::Unchecked | Audit::Checked, _) if is_of_these => return Ok(audit),
            (Audit::Unchecked, Resolution::Failed) => {
                return Err(Conclusion::park("awaiting_checker"));
            }
            (Audit::Unseen, Resolution::Failed) if waits => return Err(Conclusion::park(UNSEEN)),
            (Audit::Unseen, Resolution::Failed) if is_of_these => {
                self.nothing_is_to_come(case).await?;
            }
            (Audit::Unchecked | Audit::Checked | Audit::Unseen, _) => {}
        }
        let (finding, evidence) = match found {
            Some(found) => found,
            None => self.find(case).await?,
        };
        Err(match (resolution, finding, evidence) {
            (Resolution::Succeeded, Finding::CannotTell, _) => match done(case) {
                Some(body) => Conclusion::unsent(Verdict::End(End::Succeeded {
                    body,
                    resource_id: ResourceId::Unchanged,
                })),
                None => Conclusion::park("resolution_disagrees"),
            },
            (Resolution::Failed, Finding::Absent | Finding::CannotTell, _) => {
                let message = "It had no effect in Fineract, as an operator has made sure";
                refused_unsent(CODE, message.to_owned(), fells(case))
            }
            (Resolution::Failed, Finding::NotOurs, Evidence::NotOurs(message)) => {
                refused_unsent(CODE, message, fells(case))
            }
            (Resolution::Succeeded | Resolution::Failed, _, _) => {
                Conclusion::park("resolution_disagrees")
            }
        })
    }

    /// Makes sure that no command of the operation takes effect after it was looked for in vain: none may
    /// wait for a checker, and none was sent a moment ago. `Err`: that is not sure.
    async fn nothing_is_to_come(&self, case: Case<'_>) -> Result<(), Conclusion> {
        if case.history().awaits_checker() {
            return Err(Conclusion::park(UNSEEN));
        }
        if case.history().may_have_run() && self.fineract.may_await_checker() {
            return Err(Conclusion::park("may_await_checker"));
        }
        let mut history = case.history();
        if history.may_still_run() {
            history = history.up_for(self.fineract.uptime().await);
        }
        let age = case.attempts.last().map(|last| last.age);
        let left = age.map_or(Duration::ZERO, |age| {
            self.settings().patience.stuck_after.saturating_sub(age)
        });
        if left.is_zero() || !history.may_still_run() {
            return Ok(());
        }
        Err(Conclusion::unsent(Verdict::Again {
            delay: left,
            new_key: false,
            why: "an_attempt_may_still_run",
            counts: Some(true),
        }))
    }
}

/// What is said of a success that only the operator knows of: the number that the command was sent to.
/// A create was sent to none, and what it made can be seen.
fn done(case: Case<'_>) -> Option<String> {
    let history = case.history();
    let request = history.request()?;
    let body = match (request.loan_id(), request.client_id()) {
        (Some(loan), _) => json!({ "loanId": loan, "resourceId": loan }),
        (None, client) => {
            let client = client?;
            json!({ "clientId": client, "resourceId": client })
        }
    };
    Some(body.to_string())
}

/// Whether those behind it rest on it, as far as Fineract's last answer tells.
fn fells(case: Case<'_>) -> bool {
    let reply = case.attempts.last().and_then(|last| last.reply.as_ref());
    let codes = match reply {
        Some(Reply::Answer(answer)) => answer.codes(),
        Some(Reply::Failure(_)) | None => Vec::new(),
    };
    (case.entry.fells)(&codes)
}
