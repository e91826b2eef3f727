//! Before anything is sent: what to read, and what to send or refuse.

use super::{
    case::Case,
    conclude::{Conclusion, refused_unsent},
    keys::Trust,
    runner::Runner,
};
use crate::{
    domain::{
        Answer, Attempt, Facts, Failure, Referent, Reply, Request, ResourceId,
        decision::{self, Audit, Decision, Finding, History, Scope},
    },
    fineract::{ReadFailure, Subject},
    operations::{Context, Evidence, InvalidPayload, Plan, Refusal},
    store::{EXPIRED, EXPIRED_UNSENT, End, SeenLoan, Verdict},
};

/// Why an operation waits although its plan is to refuse it.
const MAY_STILL_RUN: &str = "an_attempt_may_still_run";

/// A command that may be sent.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The command.
    pub(super) request: Request,
    /// Whether Fineract looks as if it had been done already, before an operation's first attempt.
    pub(super) effect_preexisted: bool,
    /// What was known of its loan.
    pub(super) seen: SeenLoan,
    /// What the numbers in it mean.
    pub(super) referents: Vec<Referent>,
}

impl Runner {
    /// What is to be sent: what was sent under this key, as far as that may be trusted, or else what is planned
    /// now. `Err`: it is not to be sent now.
    pub(super) async fn prepare(
        &self,
        case: Case<'_>,
        trust: Trust,
    ) -> Result<Prepared, Conclusion> {
        match sent_under(case.attempts, case.claimed.key_number) {
            Some(sent) => self.prepare_again(case, sent, trust).await,
            None => self.prepare_new(case).await,
        }
    }

    async fn prepare_new(&self, case: Case<'_>) -> Result<Prepared, Conclusion> {
        let Case { claimed, entry, .. } = case;
        if case.history().reached_fineract() {
            self.look_before_a_new_key(case).await?;
        }
        if let Some(reopened) = entry.reopens {
            self.wait_for_late_commands(claimed, reopened).await?;
        }
        let (plan, facts, context) = self.plan(case).await?;
        match plan {
            Plan::Send(request) => {
                let evidence = match (entry.evidence)(&claimed.payload, &facts, &context) {
                    Ok(evidence) => evidence,
                    Err(invalid) => return Err(self.invalid_by_now(case, &invalid).await),
                };
                Ok(Prepared {
                    referents: facts.referents(&request),
                    request,
                    effect_preexisted: matches!(evidence, Evidence::Ours(_)),
                    seen: self.seen(case, &facts),
                })
            }
            Plan::Done(body) => Err(Conclusion::unsent(Verdict::End(End::Succeeded {
                body,
                resource_id: ResourceId::Unchanged,
            }))),
            Plan::Refuse(refusal) => Err(self.refuse(case, refusal).await),
        }
    }

    /// The command that was sent in vain, if it may be sent again: while its numbers mean what they meant. Others
    /// may have paid meanwhile, and Fineract would pay once more: so the guard is asked again, unless the key is
    /// in Fineract's books. Where Fineract may have purged the key, or never stored it, it is read first: the
    /// command would run anew.
    async fn prepare_again(
        &self,
        case: Case<'_>,
        sent: &Attempt,
        trust: Trust,
    ) -> Result<Prepared, Conclusion> {
        let stored = Prepared::again(sent);
        let history = case.history().honoured_for(trust.honoured_for());
        let kept_for = self.settings().keys_kept_for;
        self.still_means(case, sent).await?;
        // Its audit has just been seen: the key is in Fineract's books.
        if matches!(case.audit, Some(Audit::Unchecked | Audit::Checked)) {
            return Ok(stored);
        }
        if history.may_be_forgotten(case.claimed.key_number, kept_for) {
            self.look_before_it_runs_anew(case).await?;
        }
        if !case.entry.guarded || self.is_still_kept(case, &history).await {
            return Ok(stored);
        }
        let (plan, facts, _) = self.plan(case).await?;
        match plan {
            Plan::Done(_) => Ok(stored),
            Plan::Send(request) if request.is_same_payment(&stored.request) => Ok(stored),
            Plan::Send(request) if !history.may_have_run() => Ok(Prepared {
                referents: facts.referents(&request),
                request,
                ..stored
            }),
            Plan::Send(_) => Err(self.again_or_park(case.claimed, MAY_STILL_RUN, false, None)),
            Plan::Refuse(refusal) => Err(self.refuse(case, refusal).await),
        }
    }

    /// Whether the key is in Fineract's books, so that asking for it executes nothing: it was seen there, and nothing
    /// has happened since by which it may have gone. A checker may have deleted its command; a Fineract that was
    /// restored has forgotten it.
    async fn is_still_kept(&self, case: Case<'_>, history: &History<'_>) -> bool {
        if !history.is_kept(self.settings().keys_kept_for) || case.audit == Some(Audit::Unseen) {
            return false;
        }
        let seen = history.seen_in_books();
        let has_failed = self
            .fineract
            .last_failure()
            .is_some_and(|at| at.elapsed() <= seen);
        !has_failed && self.fineract.may_have_run_for(seen).await
    }

    async fn refuse(&self, case: Case<'_>, refusal: Refusal) -> Conclusion {
        let fails_dependents = (case.entry.fails_dependents)(&[]);
        let refused = refused_unsent(refusal.code, refusal.message, fails_dependents);
        self.close(case, refused).await
    }

    /// Reads what the operation needs and plans it.
    async fn plan<'a>(&'a self, case: Case<'a>) -> Result<(Plan, Facts, Context<'a>), Conclusion> {
        let Case { claimed, entry, .. } = case;
        let reads = match (entry.reads)(&claimed.payload, &self.deployment, claimed.id) {
            Ok(reads) => reads,
            Err(invalid) => return Err(self.invalid_by_now(case, &invalid).await),
        };
        let same_reference = self
            .store
            .same_reference(claimed)
            .await
            .map_err(|error| Conclusion::database_away(claimed, &error))?;
        let facts = match self.look_up_by_any_name(case, reads).await? {
            Ok(facts) => facts,
            Err(failure) => return Err(self.unread(case, failure).await),
        };
        let context = Context {
            same_reference: same_reference.map(|earlier| earlier.to_string()),
            ..case.context(self)
        };
        match (entry.plan)(&claimed.payload, &facts, &context) {
            Ok(plan) => Ok((plan, facts, context)),
            Err(invalid) => Err(self.invalid_by_now(case, &invalid).await),
        }
    }

    /// What an earlier key has brought about by now needs no second.
    async fn look_before_a_new_key(&self, case: Case<'_>) -> Result<(), Conclusion> {
        match self.find(case).await? {
            (Finding::Ours, evidence) => Err(self.succeeded_by(case, evidence).await),
            (Finding::NotOurs | Finding::Absent | Finding::CannotTell, _) => Ok(()),
        }
    }

    /// What is kept of the loan for those who read the transaction.
    fn seen(&self, case: Case<'_>, facts: &Facts) -> SeenLoan {
        let Some(loan) = &facts.loan else {
            return SeenLoan::default();
        };
        let moved = (case.entry.moves)(&case.claimed.payload, &self.deployment);
        SeenLoan {
            currency: loan.currency.as_ref().map(|currency| currency.code.clone()),
            is_paid_off: moved
                .is_ok_and(|moved| moved.is_some_and(|movement| movement.pays_off(loan))),
        }
    }

    /// What becomes of an operation whose reads failed.
    pub(super) async fn unread(&self, case: Case<'_>, failure: ReadFailure) -> Conclusion {
        let claimed = case.claimed;
        let answer = match failure {
            ReadFailure::NoAnswer(Failure::NotConnected) => {
                return Conclusion::again(claimed, "fineract_unreachable", None);
            }
            ReadFailure::NoAnswer(Failure::TimedOut | Failure::Closed) => {
                return Conclusion::again(claimed, "read_unanswered", None);
            }
            ReadFailure::Missing(Subject::PaymentType) => {
                return self
                    .suspect(claimed, Scope::Type, "payment_type_missing", false)
                    .await;
            }
            ReadFailure::Missing(_) => {
                return self
                    .suspect(claimed, Scope::Lender, "product_missing", false)
                    .await;
            }
            // Half an answer, or a proxy's: it can be asked for again.
            ReadFailure::Unreadable(_) => {
                return self.again_or_park(claimed, "read_unreadable", false, None);
            }
            ReadFailure::Refused(answer) => answer,
        };
        let reply = Reply::Answer(answer.clone());
        match decision::decide(&reply, &History::new(&[]), self.settings().patience) {
            // Fineract does not have the client or the loan, or does not take the id.
            Decision::Refused => self.refused(case, &answer).await,
            Decision::Suspect { scope, reason_code } => {
                self.suspect(claimed, scope, reason_code, false).await
            }
            Decision::SameKey {
                reason_code,
                outage,
            } => self.again_or_park(claimed, reason_code, outage, answer.retry_after),
            Decision::Succeeded
            | Decision::Read(_)
            | Decision::AwaitChecker
            | Decision::Rejected
            | Decision::Park { .. } => self.again_or_park(claimed, "read_failed", false, None),
        }
    }

    /// Ends it with Fineract's refusal; what is not there although we know its number is looked for in its books first.
    async fn refused(&self, case: Case<'_>, answer: &Answer) -> Conclusion {
        let is_known = answer.status == 404 && case.knows_a_number();
        match self.check_books_of_missing(case.claimed, is_known).await {
            Ok(()) => {
                self.close(case, Conclusion::refused(answer, case.entry))
                    .await
            }
            Err(conclusion) => conclusion,
        }
    }

    /// The door let it in, but the settings have changed since.
    async fn invalid_by_now(&self, case: Case<'_>, invalid: &InvalidPayload) -> Conclusion {
        let fields: Vec<&str> = invalid
            .problems
            .iter()
            .map(|problem| problem.pointer.as_str())
            .collect();
        let message = format!("Not sent: no longer valid at {}", fields.join(", "));
        self.close(case, refused_unsent("invalid_payload", message, true))
            .await
    }
}

impl Prepared {
    /// A command that is sent again, word for word.
    fn again(sent: &Attempt) -> Self {
        Self {
            request: sent.request.clone(),
            effect_preexisted: sent.effect_preexisted,
            seen: SeenLoan::default(),
            referents: sent.referents.clone(),
        }
    }
}

/// The last attempt under this key, where Fineract may have seen one: what it never saw is planned anew.
fn sent_under(attempts: &[Attempt], key_number: i32) -> Option<&Attempt> {
    let last = attempts
        .iter()
        .rev()
        .find(|attempt| attempt.key_number == key_number);
    last.filter(|_| History::new(attempts).reached_fineract_under(key_number))
}

/// Nothing took effect in time, and nothing will be sent any more.
pub(super) fn expired(case: Case<'_>) -> Conclusion {
    let message = if case.attempts.is_empty() {
        EXPIRED_UNSENT
    } else {
        "It had no effect in Fineract when expires_at passed, and is not sent again"
    };
    let fails_dependents = (case.entry.fails_dependents)(&[]);
    refused_unsent(EXPIRED, message.to_owned(), fails_dependents)
}
