//! Before anything is sent: what to read, and what to send or refuse.

use super::{
    case::Case,
    close::close,
    deps::Deps,
    find::find,
    keys::Trust,
    late::wait_for_late_commands,
    look_up::look_up_by_any_name,
    outcome::{database_away, refused_unsent, same_key_or_park},
    read::look_before_it_runs_anew,
    referents::still_means,
    succeed::succeeded_by,
    unread::unread,
};
use crate::{
    domain::{
        Attempt, End, Facts, Outcome, Referent, Request, ResourceId,
        decision::{Audit, Finding, History},
    },
    operations::{Context, Evidence, InvalidPayload, Plan, Refusal},
    store::SeenLoan,
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

/// What is to be sent: what was sent under this key, as far as that may be trusted, or else what is planned
/// now. `Err`: it is not to be sent now.
pub(super) async fn prepare(
    deps: &Deps,
    case: Case<'_>,
    trust: Trust,
) -> Result<Prepared, Outcome> {
    match sent_under(case.attempts, case.claimed.key_number) {
        Some(sent) => prepare_again(deps, case, sent, trust).await,
        None => prepare_new(deps, case).await,
    }
}

async fn prepare_new(deps: &Deps, case: Case<'_>) -> Result<Prepared, Outcome> {
    let Case { claimed, entry, .. } = case;
    if case.history().may_have_reached_fineract() {
        look_before_a_new_key(deps, case).await?;
    }
    if let Some(reopened) = entry.reopens {
        wait_for_late_commands(deps, claimed, reopened).await?;
    }
    let (plan, facts, context) = make_plan(deps, case).await?;
    match plan {
        Plan::Send(request) => {
            let evidence = match (entry.evidence)(&claimed.payload, &facts, &context) {
                Ok(evidence) => evidence,
                Err(invalid) => return Err(invalid_by_now(deps, case, &invalid).await),
            };
            Ok(Prepared {
                referents: facts.referents(&request),
                request,
                effect_preexisted: matches!(evidence, Evidence::Ours(_)),
                seen: seen_loan(deps, case, &facts),
            })
        }
        Plan::Done(body) => Err(Outcome::End(End::Succeeded {
            body,
            resource_id: ResourceId::Unchanged,
        })),
        Plan::Refuse(refusal) => Err(refuse(deps, case, refusal).await),
    }
}

/// The command that was sent in vain, if it may be sent again: while its numbers mean what they meant. Others
/// may have paid meanwhile, and Fineract would pay once more: so the guard is asked again, unless the key is
/// in Fineract's books. Where Fineract may have purged the key, or never stored it, it is read first: the
/// command would run anew.
async fn prepare_again(
    deps: &Deps,
    case: Case<'_>,
    sent: &Attempt,
    trust: Trust,
) -> Result<Prepared, Outcome> {
    let stored = Prepared::again(sent);
    let history = case.history().honoured_for(trust.honoured_for());
    let kept_for = deps.settings.keys_kept_for;
    still_means(deps, case, sent).await?;
    // Its audit has just been seen: the key is in Fineract's books.
    if matches!(case.audit, Some(Audit::Unchecked | Audit::Checked)) {
        return Ok(stored);
    }
    if history.may_be_forgotten(case.claimed.key_number, kept_for) {
        look_before_it_runs_anew(deps, case).await?;
    }
    if !case.entry.guarded || is_still_kept(deps, case, &history).await {
        return Ok(stored);
    }
    let (plan, facts, _) = make_plan(deps, case).await?;
    match plan {
        Plan::Done(_) => Ok(stored),
        Plan::Send(request) if request.is_same_payment(&stored.request) => Ok(stored),
        Plan::Send(request) if !history.may_have_run() => Ok(Prepared {
            referents: facts.referents(&request),
            request,
            ..stored
        }),
        Plan::Send(_) => Err(same_key_or_park(
            deps,
            case.claimed,
            MAY_STILL_RUN,
            false,
            None,
        )),
        Plan::Refuse(refusal) => Err(refuse(deps, case, refusal).await),
    }
}

/// Whether the key is in Fineract's books, so that asking for it executes nothing: it was seen there, and nothing
/// has happened since by which it may have gone. A checker may have deleted its command; a Fineract that was
/// restored has forgotten it.
async fn is_still_kept(deps: &Deps, case: Case<'_>, history: &History<'_>) -> bool {
    if !history.is_kept(deps.settings.keys_kept_for) || case.audit == Some(Audit::Unseen) {
        return false;
    }
    let seen = history.since_still_running_answer();
    let has_failed = deps
        .fineract
        .last_failure()
        .is_some_and(|at| at.elapsed() <= seen);
    !has_failed && deps.fineract.may_have_run_for(seen).await
}

async fn refuse(deps: &Deps, case: Case<'_>, refusal: Refusal) -> Outcome {
    let fails_dependents = (case.entry.fails_dependents)(&[]);
    let refused = refused_unsent(refusal.code, refusal.message, fails_dependents);
    close(deps, case, refused).await
}

/// Reads what the operation needs and plans it.
async fn make_plan<'a>(
    deps: &'a Deps,
    case: Case<'a>,
) -> Result<(Plan, Facts, Context<'a>), Outcome> {
    let Case { claimed, entry, .. } = case;
    let reads = match (entry.reads)(&claimed.payload, &deps.deployment, claimed.id) {
        Ok(reads) => reads,
        Err(invalid) => return Err(invalid_by_now(deps, case, &invalid).await),
    };
    let same_reference = deps
        .store
        .same_reference(claimed)
        .await
        .map_err(|error| database_away(claimed, &error))?;
    let facts = match look_up_by_any_name(deps, case, reads).await? {
        Ok(facts) => facts,
        Err(failure) => return Err(unread(deps, case, failure).await),
    };
    let context = Context {
        same_reference: same_reference.map(|earlier| earlier.to_string()),
        ..case.context(deps)
    };
    match (entry.plan)(&claimed.payload, &facts, &context) {
        Ok(plan) => Ok((plan, facts, context)),
        Err(invalid) => Err(invalid_by_now(deps, case, &invalid).await),
    }
}

/// What an earlier key has brought about by now needs no second.
async fn look_before_a_new_key(deps: &Deps, case: Case<'_>) -> Result<(), Outcome> {
    match find(deps, case).await? {
        (Finding::Ours, evidence) => Err(succeeded_by(deps, case, evidence).await),
        (Finding::NotOurs | Finding::Absent | Finding::CannotTell, _) => Ok(()),
    }
}

/// What is kept of the loan for those who read the transaction.
fn seen_loan(deps: &Deps, case: Case<'_>, facts: &Facts) -> SeenLoan {
    let Some(loan) = &facts.loan else {
        return SeenLoan::default();
    };
    let moved = (case.entry.moves)(&case.claimed.payload, &deps.deployment);
    SeenLoan {
        currency: loan.currency.as_ref().map(|currency| currency.code.clone()),
        is_paid_off: moved.is_ok_and(|moved| moved.is_some_and(|movement| movement.pays_off(loan))),
    }
}

/// The door let it in, but the settings have changed since.
async fn invalid_by_now(deps: &Deps, case: Case<'_>, invalid: &InvalidPayload) -> Outcome {
    let fields: Vec<&str> = invalid
        .problems
        .iter()
        .map(|problem| problem.pointer.as_str())
        .collect();
    let message = format!("Not sent: no longer valid at {}", fields.join(", "));
    close(deps, case, refused_unsent("invalid_payload", message, true)).await
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
    last.filter(|_| History::new(attempts).may_have_reached_fineract_under(key_number))
}
