//! After an answer: what it means, and what becomes of the operation.

use std::time::Duration;

use super::{backoff, case::Case, meant::answer_about_another, runner::Runner};
use crate::{
    domain::{
        Answer, Reply, ResourceId, State,
        decision::{self, ANSWER_ABOUT_ANOTHER, Decision, History},
    },
    operations::Entry,
    store::{Claimed, End, StoreError, Verdict},
    telemetry::{chain, metrics::count_alarm},
};

/// What an attempt came to.
#[derive(Debug)]
pub(super) struct Conclusion {
    /// What came back, when something was sent.
    pub(super) reply: Option<Reply>,
    /// What becomes of the operation.
    pub(super) verdict: Verdict,
}

impl Conclusion {
    /// A conclusion without anything having been sent.
    pub(super) fn unsent(verdict: Verdict) -> Self {
        Self {
            reply: None,
            verdict,
        }
    }

    /// Tries again later, under the same key, for as long as it takes: nothing here is for a person to
    /// decide.
    pub(super) fn again(
        claimed: &Claimed,
        reason_code: &'static str,
        asked: Option<Duration>,
    ) -> Self {
        Self::unsent(Verdict::Again {
            delay: backoff::delay(claimed.retrying_for, asked),
            new_key: false,
            reason_code,
            counts: Some(false),
        })
    }

    /// Leaves it to its next turn, here or elsewhere: nothing was tried.
    pub(super) fn passed_over(reason_code: &'static str, delay: Duration) -> Self {
        Self::unsent(Verdict::Again {
            delay,
            new_key: false,
            reason_code,
            counts: None,
        })
    }

    /// Tries again once the database is back: nothing was sent.
    pub(super) fn database_away(claimed: &Claimed, error: &StoreError) -> Self {
        tracing::warn!(operation.id = %claimed.id, error = %chain(error), "the database failed before anything was sent");
        Self::passed_over("database_away", backoff::delay(claimed.retrying_for, None))
    }

    /// Leaves it to a person.
    pub(super) fn park(reason_code: &'static str) -> Self {
        Self::unsent(Verdict::Park { reason_code })
    }

    /// Fineract's refusal, word for word.
    pub(super) fn refused(answer: &Answer, entry: &Entry) -> Self {
        let codes = answer.codes();
        Self::unsent(Verdict::End(End::Failed {
            body: Some(answer.body.clone()),
            message: format!("Fineract returned {}", answer.status),
            fails_dependents: (entry.fails_dependents)(&codes),
            code: codes
                .into_iter()
                .next()
                .unwrap_or_else(|| format!("status_{}", answer.status)),
        }))
    }

    /// The same for a person who has said how the operation ended: what is only to be tried again is that
    /// person's again.
    pub(super) fn for_a_person(self) -> Self {
        let verdict = match self.verdict {
            Verdict::Again { reason_code, .. } => Verdict::Park { reason_code },
            verdict @ (Verdict::End(_) | Verdict::Park { .. }) => verdict,
        };
        Self { verdict, ..self }
    }

    /// The state it leads to and why, for the log.
    pub(super) fn summary(&self) -> (&'static str, Option<&str>) {
        match &self.verdict {
            Verdict::End(End::Succeeded { .. }) => (State::Succeeded.as_str(), None),
            Verdict::End(End::Failed { code, .. }) => (State::Failed.as_str(), Some(code)),
            Verdict::Again { reason_code, .. } => (State::Ready.as_str(), Some(reason_code)),
            Verdict::Park { reason_code } => (State::Parked.as_str(), Some(reason_code)),
        }
    }

    /// The status of the answer, for the log.
    pub(super) fn status(&self) -> Option<u16> {
        match &self.reply {
            Some(Reply::Answer(answer)) => Some(answer.status),
            Some(Reply::Failure(_)) | None => None,
        }
    }
}

/// A refusal of our own: nothing was sent.
pub(super) fn refused_unsent(code: &str, message: String, fails_dependents: bool) -> Conclusion {
    Conclusion::unsent(Verdict::End(End::Failed {
        body: None,
        message,
        code: code.to_owned(),
        fails_dependents,
    }))
}

impl Runner {
    /// Decides what the last attempt's reply means, reading Fineract where its key cannot tell.
    pub(super) async fn weigh(&self, case: Case<'_>) -> Conclusion {
        let Some(reply) = case.attempts.last().and_then(|last| last.reply.as_ref()) else {
            return Conclusion::again(case.claimed, "not_sent", None);
        };
        let history = self.watched.look_at(case.claimed.id, case.history());
        let decision = decision::decide(reply, &history, self.settings().patience);
        match decision {
            Decision::Succeeded
            | Decision::Refused
            | Decision::Read(_)
            | Decision::AwaitChecker
            | Decision::Rejected => self.note_taken(case.claimed),
            Decision::SameKey { .. } | Decision::Suspect { .. } | Decision::Park { .. } => {}
        }
        let concluded = self.follow(case, decision, reply).await;
        Conclusion {
            reply: Some(reply.clone()),
            verdict: concluded.verdict,
        }
    }

    async fn follow(&self, case: Case<'_>, decision: Decision, reply: &Reply) -> Conclusion {
        let claimed = case.claimed;
        let answer = match reply {
            Reply::Answer(answer) => Some(answer),
            Reply::Failure(_) => None,
        };
        match (decision, answer) {
            (Decision::Succeeded, _) => self.succeeded(case).await,
            (Decision::Refused, Some(answer)) => {
                let is_known = answer.status == 404 && case.knows_a_number();
                match self.check_books_of_missing(claimed, is_known).await {
                    Ok(()) => Conclusion::refused(answer, case.entry),
                    Err(conclusion) => conclusion,
                }
            }
            (Decision::Read(question), Some(answer)) => self.read(case, question, answer).await,
            (
                Decision::SameKey {
                    reason_code,
                    outage,
                },
                _,
            ) => {
                let asked = answer.and_then(|answer| answer.retry_after);
                self.again_or_park(claimed, reason_code, outage, asked)
            }
            (Decision::AwaitChecker, _) => self.await_checker(claimed),
            (Decision::Rejected, _) => self.rejected(case).await,
            (Decision::Suspect { scope, reason_code }, _) => {
                self.suspect(claimed, scope, reason_code, may_take_new_key(case))
                    .await
            }
            (Decision::Park { reason_code }, _) => {
                if reason_code == ANSWER_ABOUT_ANOTHER {
                    return answer_about_another(claimed);
                }
                Conclusion::park(reason_code)
            }
            // Only an answer refuses, or has to be read about.
            (Decision::Refused | Decision::Read(_), None) => {
                Conclusion::park("unclassified_answer")
            }
        }
    }

    /// Ends it with the success that an attempt was answered.
    pub(super) async fn succeeded(&self, case: Case<'_>) -> Conclusion {
        let history = case.history();
        let (Some(answer), Some(request)) = (history.success(), history.request()) else {
            return Conclusion::park("unclassified_answer");
        };
        match self.is_about_another(case, request, &answer.body).await {
            Ok(false) => {}
            Ok(true) => return answer_about_another(case.claimed),
            Err(conclusion) => return conclusion,
        }
        self.note_success();
        self.look_after(case).await;
        Conclusion::unsent(Verdict::End(End::Succeeded {
            // A number of other books means nothing in these.
            resource_id: if case.is_of_other_books() {
                ResourceId::Unchanged
            } else {
                request.learned_id(&answer.body)
            },
            body: answer.body.clone(),
        }))
    }

    /// Reads once more what an operation changed that has succeeded, and raises the alarm where something
    /// is wrong all the same. What cannot be read now changes nothing.
    pub(super) async fn look_after(&self, case: Case<'_>) {
        let claimed = case.claimed;
        let Ok(Some(reads)) = (case.entry.reads_after)(&claimed.payload, &self.deployment) else {
            return;
        };
        match self.fineract.look_up(&case.addressed(reads), true).await {
            Ok(facts) => {
                if let Some(alarm) = (case.entry.alarm)(&facts) {
                    count_alarm(alarm);
                    tracing::error!(
                        operation.id = %claimed.id,
                        operation.type = %claimed.operation_type,
                        alarm,
                        "the operation succeeded, but Fineract's books are not as they should be"
                    );
                }
            }
            Err(failure) => {
                tracing::debug!(operation.id = %claimed.id, ?failure, "what a success left behind could not be read");
            }
        }
    }

    /// Tries again under the same key, or parks what has been tried for too long. An outage is nothing to
    /// decide operation by operation, unless others go through.
    pub(super) fn again_or_park(
        &self,
        claimed: &Claimed,
        reason_code: &'static str,
        outage: bool,
        asked: Option<Duration>,
    ) -> Conclusion {
        if outage && !self.succeeded_within(self.settings().park_after) {
            Conclusion::again(claimed, reason_code, asked)
        } else {
            self.retry_or_park(
                claimed,
                reason_code,
                backoff::delay(claimed.retrying_for, asked),
                false,
            )
        }
    }

    /// Tries again after `delay`, or parks what has been tried for too long.
    pub(super) fn retry_or_park(
        &self,
        claimed: &Claimed,
        reason_code: &'static str,
        delay: Duration,
        new_key: bool,
    ) -> Conclusion {
        if claimed.parkable_for() >= self.settings().park_after {
            Conclusion::park(reason_code)
        } else {
            Conclusion::unsent(Verdict::Again {
                delay,
                new_key,
                reason_code,
                counts: Some(true),
            })
        }
    }
}

/// Whether what has to be set up first may be tried under a new key: the refusal is stored under this one.
fn may_take_new_key(case: Case<'_>) -> bool {
    let history: History<'_> = case.history();
    history.key_has_ended()
        && (case.entry.command().late_copy_is_harmless() || !history.may_still_run())
}
