//! Reading Fineract where a key cannot tell.

use super::{case::Case, conclude::Conclusion, pace, runner::Runner};
use crate::{
    domain::{
        Answer,
        decision::{self, Elsewhere, Finding, Question},
    },
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
        let evidence = match self.look(case).await {
            Ok(evidence) => evidence,
            Err(conclusion) => return conclusion,
        };
        let finding = match &evidence {
            Evidence::Ours(_) => Finding::Ours,
            Evidence::NotOurs(_) => Finding::NotOurs,
            Evidence::Absent => Finding::Absent,
            Evidence::CannotTell(_) => Finding::CannotTell,
        };
        let history = case.history();
        let elsewhere = Elsewhere {
            others_succeeded: self.succeeded_within(history.key_age()),
            late_command_harmless: case.entry.late_command_harmless,
        };
        match (
            decision::decide_reading(question, finding, &history, elsewhere),
            evidence,
        ) {
            (decision::Verdict::Succeeded, Evidence::Ours(body)) => {
                let learned = history.request().map(|request| request.learned_id(&body));
                let resource_id = learned.unwrap_or_default();
                Conclusion::unsent(Verdict::End(End::Succeeded { body, resource_id }))
            }
            (decision::Verdict::Refused, Evidence::NotOurs(message)) => {
                let codes = answer.codes();
                Conclusion::unsent(Verdict::End(End::Failed {
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
            (decision::Verdict::SameKey { why }, _) => self.again_or_park(case.claimed, why, None),
            (decision::Verdict::Park { .. }, Evidence::CannotTell(why))
            | (decision::Verdict::Park { why }, _) => Conclusion::unsent(Verdict::Park { why }),
            (decision::Verdict::Succeeded, _) => Conclusion::unsent(Verdict::Park {
                why: "evidence_cannot_tell",
            }),
        }
    }

    async fn look(&self, case: Case<'_>) -> Result<Evidence, Conclusion> {
        #[cfg(feature = "sabotage")]
        if crate::sabotage::is(crate::sabotage::Sabotage::NoReconcile) {
            return Ok(Evidence::Absent);
        }
        let unreadable = |_| {
            Conclusion::unsent(Verdict::Park {
                why: "payload_unreadable",
            })
        };
        let claimed = case.claimed;
        let reads = (case.entry.evidence_reads)(&claimed.payload, &self.deployment, claimed.id)
            .map_err(unreadable)?;
        let facts = self.fineract.look_up(&reads, true).await.map_err(|failure| {
            tracing::debug!(operation.id = %claimed.id, ?failure, "the evidence could not be read");
            self.again_or_park(claimed, "evidence_unread", None)
        })?;
        (case.entry.evidence)(&claimed.payload, &facts, &case.context(self)).map_err(unreadable)
    }
}
