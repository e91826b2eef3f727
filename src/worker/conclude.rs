//! After an answer: what it means, and what becomes of the operation.

use std::time::Duration;

use super::{case::Case, pace, runner::Runner};
use crate::{
    domain::{
        Answer, Reply, State,
        decision::{self, Decision, Scope},
    },
    operations::Entry,
    store::{Claimed, End, Verdict},
};

/// How long an operation waits before a missing permission, or a lender, is tried again.
pub(super) const SET_UP: Duration = Duration::from_secs(30);

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

    /// Tries again later, under the same key.
    pub(super) fn again(claimed: &Claimed, why: &'static str, asked: Option<Duration>) -> Self {
        let delay = pace::delay(claimed.troubled_for, asked);
        Self::unsent(Verdict::Again {
            delay,
            new_key: false,
            why,
        })
    }

    /// Fineract's refusal, word for word.
    pub(super) fn refused(answer: &Answer, entry: &Entry) -> Self {
        let codes = answer.codes();
        Self::unsent(Verdict::End(End::Failed {
            body: Some(answer.body.clone()),
            message: format!("Fineract returned {}", answer.status),
            fells: (entry.fells)(&codes),
            code: codes
                .into_iter()
                .next()
                .unwrap_or_else(|| format!("status_{}", answer.status)),
        }))
    }

    /// The state it leads to and why, for the log.
    pub(super) fn summary(&self) -> (&'static str, Option<&str>) {
        match &self.verdict {
            Verdict::End(End::Succeeded { .. }) => (State::Succeeded.as_str(), None),
            Verdict::End(End::Failed { code, .. }) => (State::Failed.as_str(), Some(code)),
            Verdict::Again { why, .. } => (State::Ready.as_str(), Some(why)),
            Verdict::Park { why } => (State::Parked.as_str(), Some(why)),
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
pub(super) fn refused_unsent(code: &str, message: String, fells: bool) -> Conclusion {
    Conclusion::unsent(Verdict::End(End::Failed {
        body: None,
        message,
        code: code.to_owned(),
        fells,
    }))
}

impl Runner {
    /// Decides what the last attempt's reply means, reading Fineract where its key cannot tell.
    pub(super) async fn weigh(&self, case: Case<'_>) -> Conclusion {
        let last = case.attempts.last();
        let Some((last, reply)) =
            last.and_then(|last| last.reply.as_ref().map(|reply| (last, reply)))
        else {
            return Conclusion::again(case.claimed, "not_sent", None);
        };
        let decision = decision::decide(reply, &case.history(), self.settings().patience);
        let concluded = match (decision, reply) {
            (Decision::Succeeded, Reply::Answer(answer)) => {
                self.note_success();
                Conclusion::unsent(Verdict::End(End::Succeeded {
                    resource_id: last.request.learned_id(&answer.body),
                    body: answer.body.clone(),
                }))
            }
            (Decision::Refused, Reply::Answer(answer)) => Conclusion::refused(answer, case.entry),
            (Decision::SameKey { why }, Reply::Answer(answer)) => {
                self.again_or_park(case.claimed, why, answer.retry_after)
            }
            // An unreachable Fineract is nothing a person decides operation by operation.
            (Decision::SameKey { why }, Reply::Failure(_)) => {
                Conclusion::again(case.claimed, why, None)
            }
            (Decision::Read(question), Reply::Answer(answer)) => {
                self.read(case, question, answer).await
            }
            (Decision::AwaitChecker, _) => Conclusion::unsent(Verdict::Park {
                why: "awaiting_checker",
            }),
            (Decision::Suspect { scope, why }, _) => {
                let key_has_ended = !case.history().may_still_run();
                self.suspect(case.claimed, scope, why, key_has_ended).await
            }
            (Decision::Park { why }, _) => Conclusion::unsent(Verdict::Park { why }),
            (Decision::Succeeded | Decision::Refused | Decision::Read(_), Reply::Failure(_)) => {
                Conclusion::unsent(Verdict::Park {
                    why: "unclassified_answer",
                })
            }
        };
        if matches!(concluded.verdict, Verdict::End(_)) {
            self.gate().open();
        }
        Conclusion {
            reply: Some(reply.clone()),
            verdict: concluded.verdict,
        }
    }

    /// Something may be wrong with more than this operation: with everything, if a probe fails too.
    pub(super) async fn suspect(
        &self,
        claimed: &Claimed,
        scope: Scope,
        why: &'static str,
        key_has_ended: bool,
    ) -> Conclusion {
        match scope {
            Scope::Deployment => {
                if self.fineract.probe().await {
                    Conclusion::unsent(Verdict::Park { why })
                } else {
                    self.gate().block(why);
                    Conclusion::again(claimed, why, None)
                }
            }
            Scope::Type => Conclusion::again(claimed, why, Some(SET_UP)),
            Scope::Lender => {
                // The refusal is stored under the key: what is set up by then is tried under a new one.
                self.fineract.forget();
                let delay = pace::delay(claimed.troubled_for, Some(SET_UP));
                let verdict = Verdict::Again {
                    delay,
                    new_key: key_has_ended,
                    why,
                };
                Conclusion::unsent(verdict)
            }
        }
    }

    /// Tries again under the same key, or parks what has been tried for too long.
    pub(super) fn again_or_park(
        &self,
        claimed: &Claimed,
        why: &'static str,
        asked: Option<Duration>,
    ) -> Conclusion {
        let delay = pace::delay(claimed.troubled_for, asked);
        self.park_when_late(
            claimed,
            Verdict::Again {
                delay,
                new_key: false,
                why,
            },
            why,
        )
    }

    /// Parks what has been tried for too long.
    pub(super) fn park_when_late(
        &self,
        claimed: &Claimed,
        verdict: Verdict,
        why: &'static str,
    ) -> Conclusion {
        if claimed.troubled_for >= self.settings().park_after {
            Conclusion::unsent(Verdict::Park { why })
        } else {
            Conclusion::unsent(verdict)
        }
    }
}
