//! Reading Fineract where a key cannot tell.

use super::{case::Case, conclude::Conclusion, pace, runner::Runner};
use crate::{
    domain::{
        Answer,
        decision::{self, Circumstances, Finding, Listing, Question},
    },
    fineract::ReadFailure,
    operations::Evidence,
    store::{End, Verdict},
};

/// The code of a failure whose effect is there, but not ours.
const DONE_BY_ANOTHER: &str = "done_by_another";

impl Runner {
    /// Reads Fineract, and decides by what is there.
    pub(super) async fn read(
        &self,
        case: Case<'_>,
        question: Question,
        answer: &Answer,
    ) -> Conclusion {
        // A command that waits for a checker looks as if it were stuck; it must not get a second one.
        let listing = match question {
            Question::Stuck => self.listing(case).await,
            Question::AlreadyThere
            | Question::BeforeTheKey
            | Question::Failed
            | Question::Conflicted => Ok(Listing::NeverSeen),
        };
        let checkers_readable = match listing {
            Ok(Listing::Listed) => return self.listed(case.claimed),
            Ok(listing) => listing != Listing::Unreadable,
            Err(conclusion) => return conclusion,
        };
        let (finding, evidence) = match self.find(case).await {
            Ok(found) => found,
            Err(conclusion) => return conclusion,
        };
        let mut history = case.history();
        if history.may_still_run() {
            history = history.up_for(self.fineract.uptime().await);
        }
        let circumstances = Circumstances {
            others_succeeded: self.succeeded_within(history.failing_for()),
            late_command_harmless: case.entry.late_command_harmless,
            checkers_readable,
        };
        let verdict = decision::decide_reading(question, finding, &history, circumstances);
        self.follow_reading(case, verdict, evidence, answer).await
    }

    async fn follow_reading(
        &self,
        case: Case<'_>,
        verdict: decision::Verdict,
        evidence: Evidence,
        answer: &Answer,
    ) -> Conclusion {
        match (verdict, evidence) {
            (decision::Verdict::Succeeded, evidence) => self.succeeded_by(case, evidence).await,
            (decision::Verdict::Refused, Evidence::NotOurs(message)) => {
                let codes = answer.codes();
                Conclusion::unsent(Verdict::End(End::Failed {
                    // An answer that is no refusal, a 425's echo of the request, is nobody's failure.
                    body: Some(answer.body.clone()).filter(|_| !codes.is_empty()),
                    message,
                    code: DONE_BY_ANOTHER.to_owned(),
                    fells: (case.entry.fells)(&codes),
                }))
            }
            (decision::Verdict::Refused, _) => Conclusion::refused(answer, case.entry),
            (decision::Verdict::NewKey { why }, _) => {
                let delay = pace::delay(case.claimed.troubled_for, answer.retry_after);
                let verdict = Verdict::Again {
                    delay,
                    new_key: true,
                    why,
                };
                self.park_when_late(case.claimed, verdict, why)
            }
            (decision::Verdict::SameKey { why }, _) => {
                self.again_or_park(case.claimed, why, false, None)
            }
            (decision::Verdict::Park { .. }, Evidence::CannotTell(why))
            | (decision::Verdict::Park { why }, _) => Conclusion::park(why),
        }
    }

    /// Reads what there is of the operation in Fineract.
    pub(super) async fn find(&self, case: Case<'_>) -> Result<(Finding, Evidence), Conclusion> {
        let unreadable = |_| Conclusion::park("payload_unreadable");
        #[cfg(feature = "sabotage")]
        if crate::sabotage::is(crate::sabotage::Sabotage::NoReconcile) {
            return Ok((Finding::Absent, Evidence::Absent));
        }
        let claimed = case.claimed;
        let reads = (case.entry.evidence_reads)(&claimed.payload, &self.deployment, claimed.id)
            .map_err(unreadable)?;
        let facts = self
            .fineract
            .look_up(&case.addressed(reads), true)
            .await
            .map_err(|failure| {
                tracing::debug!(operation.id = %claimed.id, ?failure, "the evidence could not be read");
                let outage = matches!(failure, ReadFailure::NoAnswer(_));
                self.again_or_park(claimed, "evidence_unread", outage, None)
            })?;
        let evidence = (case.entry.evidence)(&claimed.payload, &facts, &case.context(self))
            .map_err(unreadable)?;
        let finding = match &evidence {
            // It looked so before anything was sent: that says nothing of what was sent.
            Evidence::Ours(_) if case.history().foreseen() => Finding::Absent,
            Evidence::Ours(_) => Finding::Ours,
            Evidence::NotOurs(_) => Finding::NotOurs,
            Evidence::Absent => Finding::Absent,
            Evidence::CannotTell(_) => Finding::CannotTell,
        };
        Ok((finding, evidence))
    }
}
