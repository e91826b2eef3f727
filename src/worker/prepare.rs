//! Before anything is sent: what to read, and what to send or refuse.

use super::{
    case::Case,
    conclude::{Conclusion, SET_UP, refused_unsent},
    runner::Runner,
};
use crate::{
    domain::{
        Failure, Reply, Request, ResourceId,
        decision::{self, Decision, History},
    },
    fineract::{ReadFailure, Subject},
    operations::{Context, InvalidPayload, Plan},
    store::{End, Verdict},
    telemetry::chain,
};

impl Runner {
    /// Reads what the operation needs and plans it. `Err`: it is not to be sent now.
    pub(super) async fn prepare(&self, case: Case<'_>) -> Result<Request, Conclusion> {
        let Case { claimed, entry, .. } = case;
        let reads = (entry.reads)(&claimed.payload, &self.deployment, claimed.id)
            .map_err(|invalid| invalid_by_now(&invalid))?;
        let same_reference = self.store.same_reference(claimed).await.map_err(|error| {
            tracing::warn!(operation.id = %claimed.id, error = %chain(&error), "a reference could not be looked for");
            Conclusion::again(claimed, "database_away", None)
        })?;
        let facts = match self.fineract.look_up(&reads, false).await {
            Ok(facts) => facts,
            Err(failure) => return Err(self.unread(case, failure).await),
        };
        let context = Context {
            same_reference,
            ..case.context(self)
        };
        match (entry.plan)(&claimed.payload, &facts, &context)
            .map_err(|invalid| invalid_by_now(&invalid))?
        {
            Plan::Send(request) => Ok(request),
            Plan::Done(body) => Err(Conclusion::unsent(Verdict::End(End::Succeeded {
                body,
                resource_id: ResourceId::Unchanged,
            }))),
            // A "no" while an attempt may still run is not the last word.
            Plan::Refuse(_) if case.history().may_still_run() => {
                Err(Conclusion::again(claimed, "an_attempt_may_still_run", None))
            }
            Plan::Refuse(refusal) => Err(refused_unsent(
                refusal.code,
                refusal.message,
                (entry.fells)(&[]),
            )),
        }
    }

    /// What becomes of an operation whose reads failed.
    async fn unread(&self, case: Case<'_>, failure: ReadFailure) -> Conclusion {
        let claimed = case.claimed;
        let answer = match failure {
            ReadFailure::NoAnswer(Failure::NotConnected) => {
                return Conclusion::again(claimed, "fineract_unreachable", None);
            }
            ReadFailure::NoAnswer(Failure::TimedOut | Failure::Closed) => {
                return Conclusion::again(claimed, "read_unanswered", None);
            }
            ReadFailure::Missing(Subject::PaymentType) => {
                return Conclusion::again(claimed, "payment_type_missing", Some(SET_UP));
            }
            ReadFailure::Missing(_) => {
                return Conclusion::again(claimed, "product_missing", Some(SET_UP));
            }
            // Half an answer, or a proxy's: nothing was asked for that could not be asked for again.
            ReadFailure::Unreadable(_) => {
                return self.again_or_park(claimed, "read_unreadable", None);
            }
            ReadFailure::Refused(answer) => answer,
        };
        let reply = Reply::Answer(answer.clone());
        match decision::decide(&reply, &History::new(&[]), self.settings().patience) {
            // Fineract does not have the client or the loan, or does not take the id.
            Decision::Refused if case.history().may_still_run() => {
                Conclusion::again(claimed, "an_attempt_may_still_run", None)
            }
            Decision::Refused => Conclusion::refused(&answer, case.entry),
            Decision::Suspect { scope, why } => self.suspect(claimed, scope, why, false).await,
            Decision::SameKey { why } => Conclusion::again(claimed, why, answer.retry_after),
            Decision::Succeeded
            | Decision::Read(_)
            | Decision::AwaitChecker
            | Decision::Park { .. } => self.again_or_park(claimed, "read_failed", None),
        }
    }
}

/// The door let it in, but the settings have changed since.
fn invalid_by_now(invalid: &InvalidPayload) -> Conclusion {
    let fields: Vec<&str> = invalid
        .problems
        .iter()
        .map(|problem| problem.pointer.as_str())
        .collect();
    let message = format!("Not sent: no longer valid at {}", fields.join(", "));
    refused_unsent("invalid_payload", message, true)
}
