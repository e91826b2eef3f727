//! Reading Fineract where a key cannot tell.

use super::{backoff, case::Case, conclude::Conclusion, prepare::expired, runner::Runner};
use crate::{
    domain::{
        Answer,
        decision::{self, Circumstances, Finding, Question},
    },
    fineract::ReadFailure,
    operations::{DONE_BY_ANOTHER, Evidence},
    store::{End, Verdict},
};

/// Why an operation is left to a person that a restored database may have forgotten to have sent.
const MAY_HAVE_BEEN_DONE: &str = "may_have_been_done";

impl Runner {
    /// Reads Fineract, and decides by what is there.
    pub(super) async fn read(
        &self,
        case: Case<'_>,
        question: Question,
        answer: &Answer,
    ) -> Conclusion {
        let (finding, evidence) = match self.find(case).await {
            Ok(found) => found,
            Err(conclusion) => return conclusion,
        };
        let verdict = self.judge(case, question, finding).await;
        if case.claimed.is_past_expiry && matches!(verdict, decision::Verdict::NewKey { .. }) {
            return self.expire(case).await;
        }
        self.follow_reading(case, verdict, evidence, answer).await
    }

    /// Decides by what was found, and by what is known of Fineract's process.
    async fn judge(
        &self,
        case: Case<'_>,
        question: Question,
        finding: Finding,
    ) -> decision::Verdict {
        let mut history = case.history();
        if history.may_still_run() {
            history = history.up_for(self.fineract.uptime().await);
        }
        let circumstances = Circumstances {
            others_succeeded: self.succeeded_within(history.failing_for()),
            late_command_harmless: case.entry.command().late_copy_is_harmless(),
        };
        decision::decide_reading(question, finding, &history, circumstances)
    }

    /// Ends an operation without another try, with this refusal, unless an attempt of it has taken effect,
    /// or may still do so: closed is not without effect until Fineract has been read.
    pub(super) async fn close(&self, case: Case<'_>, refusal: Conclusion) -> Conclusion {
        #[cfg(feature = "sabotage")]
        if crate::sabotage::is(crate::sabotage::Sabotage::ExpireUnread) {
            return refusal;
        }
        if !case.history().reached_fineract() && !is_forgotten(case) {
            return refusal;
        }
        self.close_by_reading(case, refusal).await
    }

    /// Ends an operation because its time has passed: as any that is closed.
    pub(super) async fn expire(&self, case: Case<'_>) -> Conclusion {
        self.close(case, expired(case)).await
    }

    async fn close_by_reading(&self, case: Case<'_>, refusal: Conclusion) -> Conclusion {
        let (finding, evidence) = match self.find(case).await {
            Ok(found) => found,
            Err(conclusion) => return conclusion,
        };
        match self.judge(case, Question::Closing, finding).await {
            decision::Verdict::Succeeded => self.succeeded_by(case, evidence).await,
            // Only a payment leaves a mark that nothing takes away, an undo included: that others have changed since
            // what else was done looks the same as if it had not been.
            decision::Verdict::Refused if is_forgotten(case) && !case.entry.guarded => {
                Conclusion::park(MAY_HAVE_BEEN_DONE)
            }
            decision::Verdict::Refused => match evidence {
                Evidence::NotOurs(_) => done_by_another(case, evidence, None),
                Evidence::Ours(_)
                | Evidence::Changed(_)
                | Evidence::Absent
                | Evidence::CannotTell(_) => refusal,
            },
            decision::Verdict::NewKey { reason_code }
            | decision::Verdict::SameKey { reason_code } => {
                self.again_or_park(case.claimed, reason_code, false, None)
            }
            decision::Verdict::Park { reason_code } => {
                Conclusion::park(reason(reason_code, &evidence))
            }
        }
    }

    /// Reads Fineract before a command is sent again that is so old that Fineract may have purged its
    /// key: it would run anew. `Err`: it is not to be sent.
    pub(super) async fn look_before_it_runs_anew(&self, case: Case<'_>) -> Result<(), Conclusion> {
        let (finding, evidence) = self.find(case).await?;
        Err(match self.judge(case, Question::Forgotten, finding).await {
            decision::Verdict::NewKey { .. } if case.claimed.is_past_expiry => expired(case),
            decision::Verdict::NewKey { .. } => return Ok(()),
            decision::Verdict::Succeeded => self.succeeded_by(case, evidence).await,
            decision::Verdict::Refused => done_by_another(case, evidence, None),
            decision::Verdict::SameKey { reason_code } => {
                self.again_or_park(case.claimed, reason_code, false, None)
            }
            decision::Verdict::Park { reason_code } => {
                Conclusion::park(reason(reason_code, &evidence))
            }
        })
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
            (decision::Verdict::Refused, not_ours @ Evidence::NotOurs(_)) => {
                done_by_another(case, not_ours, Some(answer))
            }
            (decision::Verdict::Refused, _) => Conclusion::refused(answer, case.entry),
            (decision::Verdict::NewKey { reason_code }, _) => {
                let delay = backoff::delay(case.claimed.retrying_for, answer.retry_after);
                self.retry_or_park(case.claimed, reason_code, delay, true)
            }
            (decision::Verdict::SameKey { reason_code }, _) => {
                self.again_or_park(case.claimed, reason_code, false, None)
            }
            (decision::Verdict::Park { reason_code }, evidence) => {
                Conclusion::park(reason(reason_code, &evidence))
            }
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
        let facts = self.look_up(case, reads, true).await?.map_err(|failure| {
            tracing::debug!(operation.id = %claimed.id, ?failure, "the evidence could not be read");
            let outage = matches!(failure, ReadFailure::NoAnswer(_));
            self.again_or_park(claimed, "evidence_unread", outage, None)
        })?;
        let evidence = (case.entry.evidence)(&claimed.payload, &facts, &case.context(self))
            .map_err(unreadable)?;
        if matches!(evidence, Evidence::Ours(_))
            && case.entry.leaves_nothing
            && !self.is_as_sent_to(case).await
        {
            let reason_code = "absent_after_a_restart";
            return Ok((Finding::CannotTell, Evidence::CannotTell(reason_code)));
        }
        let finding = match &evidence {
            // It looked so before anything was sent: that says nothing of what was sent.
            Evidence::Ours(_) if case.history().effect_preexisted() => Finding::Absent,
            Evidence::Ours(_) => Finding::Ours,
            Evidence::NotOurs(_) => Finding::NotOurs,
            Evidence::Absent => Finding::Absent,
            Evidence::Changed(_) | Evidence::CannotTell(_) => Finding::CannotTell,
        };
        Ok((finding, evidence))
    }
}

impl Runner {
    /// Whether Fineract has run all the time since the operation was first sent: it was not restored since, so that
    /// what is gone was there.
    async fn is_as_sent_to(&self, case: Case<'_>) -> bool {
        let ages = case.attempts.iter().map(|attempt| attempt.age);
        let since = case.claimed.claimed_at.elapsed();
        let age = ages.max().unwrap_or_default().saturating_add(since);
        self.fineract.has_run_for(age).await
    }
}

/// Whether this database may have forgotten an attempt: it was restored.
pub(super) fn is_forgotten(case: Case<'_>) -> bool {
    case.claimed.forgotten_for.is_some()
}

/// Ends it as what somebody else has done, with Fineract's refusal where there is one.
fn done_by_another(case: Case<'_>, evidence: Evidence, answer: Option<&Answer>) -> Conclusion {
    let code = DONE_BY_ANOTHER.to_owned();
    let codes = answer.map(Answer::codes).unwrap_or_default();
    Conclusion::unsent(Verdict::End(End::Failed {
        // An answer that is no refusal, a 425's echo of the request, is nobody's failure.
        body: answer
            .map(|answer| answer.body.clone())
            .filter(|_| !codes.is_empty()),
        message: match evidence {
            Evidence::NotOurs(message) => message,
            Evidence::Ours(_)
            | Evidence::Changed(_)
            | Evidence::Absent
            | Evidence::CannotTell(_) => "It was done by somebody else".to_owned(),
        },
        fails_dependents: (case.entry.fails_dependents)(&[codes, vec![code.clone()]].concat()),
        code,
    }))
}

/// Why a person has to decide, as the type's own evidence says it where that cannot tell.
pub(super) fn reason(reason_code: &'static str, evidence: &Evidence) -> &'static str {
    match evidence {
        Evidence::CannotTell(reason_code) => reason_code,
        Evidence::Changed(_) => "created_with_other_values",
        Evidence::Ours(_) | Evidence::NotOurs(_) | Evidence::Absent => reason_code,
    }
}
