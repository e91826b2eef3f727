//! Before anything is sent: what to read, and what to send or refuse.

use std::time::Duration;

use super::{
    conclude::{Conclusion, refused_unsent},
    runner::{Runner, Type},
};
use crate::{
    domain::{
        Attempt, Failure, Reply, Request,
        decision::{self, Decision, History},
    },
    fineract::{ReadFailure, Subject},
    operations::{Context, InvalidPayload, Plan},
    store::{Claimed, End, Verdict},
};

/// How long an operation waits for what an operator has to set up in Fineract.
const SET_UP: Duration = Duration::from_secs(30);

impl Runner {
    /// Reads what the operation needs and plans it. `Err`: it is not to be sent now.
    pub(super) async fn prepare(
        &self,
        claimed: &Claimed,
        entry: Type,
        attempts: &[Attempt],
    ) -> Result<Request, Conclusion> {
        let history = History::new(attempts);
        let reads = (entry.reads)(&claimed.payload, &self.deployment)
            .map_err(|invalid| invalid_by_now(&invalid))?;
        let same_reference = self.store.same_reference(claimed).await.map_err(|error| {
            tracing::warn!(error = %crate::telemetry::chain(&error), "a reference could not be looked for");
            self.again(claimed, "database_away", None)
        })?;
        let facts = match self.fineract.look_up(&reads, false).await {
            Ok(facts) => facts,
            Err(failure) => return Err(self.unread(claimed, entry, &history, failure).await),
        };
        let context = Context {
            id: claimed.id,
            deployment: &self.deployment,
            user: self.fineract.user(),
            known_id: claimed.known_id,
            same_reference,
            sent: history.request(),
        };
        match (entry.plan)(&claimed.payload, &facts, &context)
            .map_err(|invalid| invalid_by_now(&invalid))?
        {
            Plan::Send(request) => Ok(request),
            Plan::Done(body) => {
                let end = End::Succeeded { body, resource_id: None };
                Err(Conclusion::unsent(Verdict::End(end)))
            }
            // A "no" while an attempt may still run is not the last word.
            Plan::Refuse(_) if history.may_still_run() => {
                Err(self.again(claimed, "an_attempt_may_still_run", None))
            }
            Plan::Refuse(refusal) => {
                Err(refused_unsent(refusal.code, refusal.message, (entry.fells)(&[])))
            }
        }
    }

    /// What becomes of an operation whose reads failed.
    async fn unread(
        &self,
        claimed: &Claimed,
        entry: Type,
        history: &History<'_>,
        failure: ReadFailure,
    ) -> Conclusion {
        let answer = match failure {
            ReadFailure::NoAnswer(Failure::NotConnected) => {
                return self.again(claimed, "fineract_unreachable", None);
            }
            ReadFailure::NoAnswer(Failure::TimedOut | Failure::Closed) => {
                return self.again(claimed, "read_unanswered", None);
            }
            ReadFailure::Missing(Subject::PaymentType) => {
                return self.again(claimed, "payment_type_missing", Some(SET_UP));
            }
            ReadFailure::Missing(_) => {
                return self.again(claimed, "product_missing", Some(SET_UP));
            }
            ReadFailure::Unreadable(_) => {
                return Conclusion::unsent(Verdict::Park { why: "read_unreadable" });
            }
            ReadFailure::Refused(answer) => answer,
        };
        let reply = Reply::Answer(answer.clone());
        match decision::decide(&reply, &History::new(&[]), self.settings().patience) {
            // Fineract does not have the client or the loan, or does not take the id.
            Decision::Refused if history.may_still_run() => {
                self.again(claimed, "an_attempt_may_still_run", None)
            }
            Decision::Refused => Conclusion::refused(&answer, entry),
            Decision::Suspect { scope, why } => self.suspect(claimed, scope, why, false).await,
            Decision::SameKey { why } => self.again(claimed, why, answer.retry_after),
            Decision::Succeeded
            | Decision::Read(_)
            | Decision::AwaitChecker
            | Decision::Park { .. } => self.again_or_park(claimed, "read_failed", None),
        }
    }
}

/// The door let it in, but the settings have changed since.
fn invalid_by_now(invalid: &InvalidPayload) -> Conclusion {
    let fields: Vec<&str> =
        invalid.problems.iter().map(|problem| problem.pointer.as_str()).collect();
    let message = format!("Not sent: no longer valid at {}", fields.join(", "));
    refused_unsent("invalid_payload", message, true)
}
