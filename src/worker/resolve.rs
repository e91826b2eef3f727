//! A person says how an operation ended: it is believed when Fineract agrees, and nothing is sent.

use std::time::Duration;

use super::{
    case::Case,
    conclude::{Conclusion, refused_unsent},
    runner::Runner,
};
use crate::{
    domain::{Reply, Resolution, decision::Finding},
    operations::Evidence,
    store::{End, Verdict},
};

/// The code of a failure that an operator has stated.
const CODE: &str = "resolved_as_failed";

impl Runner {
    /// Reads Fineract, and ends the operation as the operator says, or parks it again.
    pub(super) async fn resolve(&self, case: Case<'_>, resolution: Resolution) -> Conclusion {
        let failed = resolution == Resolution::Failed;
        if failed && case.awaits_checker() {
            return Conclusion::park("awaiting_checker");
        }
        if let Some(delay) = self.may_still_run_for(case).filter(|_| failed) {
            return Conclusion::unsent(Verdict::Again {
                delay,
                new_key: false,
                why: "an_attempt_may_still_run",
            });
        }
        let (finding, evidence) = match self.find(case).await {
            Ok(found) => found,
            Err(conclusion) => return conclusion,
        };
        match (resolution, finding, evidence) {
            (Resolution::Succeeded, _, Evidence::Ours(body)) => {
                let learned = case.history().request().map(|sent| sent.learned_id(&body));
                Conclusion::unsent(Verdict::End(End::Succeeded {
                    body,
                    resource_id: learned.unwrap_or_default(),
                }))
            }
            (Resolution::Failed, Finding::Absent, _) => {
                let message = "It had no effect in Fineract, as an operator has made sure";
                refused_unsent(CODE, message.to_owned(), fells(case))
            }
            (Resolution::Failed, Finding::NotOurs, Evidence::NotOurs(message)) => {
                refused_unsent(CODE, message, fells(case))
            }
            (Resolution::Succeeded | Resolution::Failed, _, _) => {
                Conclusion::park("resolution_disagrees")
            }
        }
    }

    /// For how long a GET would come too early to say that nothing has happened: what was sent a moment
    /// ago, with an end that is not known, may take effect after it.
    fn may_still_run_for(&self, case: Case<'_>) -> Option<Duration> {
        let last = case.attempts.last()?;
        self.settings()
            .patience
            .stuck_after
            .checked_sub(last.age)
            .filter(|left| !left.is_zero() && case.history().may_still_run())
    }
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
