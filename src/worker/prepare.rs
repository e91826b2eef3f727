//! Decides what to send: the stored command again, a newly planned command, or nothing.

use super::{
    case::Case,
    close::close,
    decide_by_reading::read_before_forgotten_key,
    deps::Deps,
    evidence::find_effect,
    keys::Trust,
    late::wait_for_late_commands,
    look_up_by_any_name::look_up_by_any_name,
    outcome::{database_away, refused_unsent, same_key_or_park},
    read_failed::read_failed,
    referents::require_same_referents,
    succeed::succeeded_by_evidence,
};
use crate::{
    domain::{
        Attempt, End, Facts, Outcome, Referent, Request, ResourceId,
        decision::{Audit, Finding, History},
    },
    operations::{Context, Evidence, InvalidPayload, Plan, Refusal},
    store::SeenLoan,
};

/// Reason code of an operation whose command would be different now, while an earlier attempt may still run.
const MAY_STILL_RUN: &str = "an_attempt_may_still_run";

/// A command that is ready to be sent.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The command.
    pub(super) request: Request,
    /// Whether Fineract already showed the effect before the operation's first attempt.
    pub(super) effect_preexisted: bool,
    /// What the transactions API shows of the loan.
    pub(super) seen: SeenLoan,
    /// The objects that the numbers in the command refer to.
    pub(super) referents: Vec<Referent>,
}

/// Decides what to send: the command that was already sent under this key, if it may be sent again, or otherwise a
/// new command. `Err`: do not send now.
pub(super) async fn prepare(
    deps: &Deps,
    case: Case<'_>,
    trust: Trust,
) -> Result<Prepared, Outcome> {
    match sent_under(case.attempts, case.claimed.key_number) {
        Some(sent) => prepare_resend(deps, case, sent, trust).await,
        None => prepare_new(deps, case).await,
    }
}

/// The last attempt under this key, if Fineract may have seen the key. `None`: the gateway has to plan a new
/// command.
fn sent_under(attempts: &[Attempt], key_number: i32) -> Option<&Attempt> {
    let last = attempts
        .iter()
        .rev()
        .find(|attempt| attempt.key_number == key_number);
    last.filter(|_| History::new(attempts).may_have_reached_fineract_under(key_number))
}

impl Prepared {
    /// The stored command, to be sent again byte for byte.
    fn resend(sent: &Attempt) -> Self {
        Self {
            request: sent.request.clone(),
            effect_preexisted: sent.effect_preexisted,
            seen: SeenLoan::default(),
            referents: sent.referents.clone(),
        }
    }
}

async fn prepare_new(deps: &Deps, case: Case<'_>) -> Result<Prepared, Outcome> {
    let Case { claimed, entry, .. } = case;
    if case.history().may_have_reached_fineract() {
        read_before_new_key(deps, case).await?;
    }
    if let Some(reopened_type) = entry.reopens {
        wait_for_late_commands(deps, claimed, reopened_type).await?;
    }
    let (plan, facts, context) = make_plan(deps, case).await?;
    match plan {
        Plan::Send(request) => {
            let evidence = match (entry.evidence)(&claimed.payload, &facts, &context) {
                Ok(evidence) => evidence,
                Err(invalid) => return Err(no_longer_valid(deps, case, &invalid).await),
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

/// Checks whether the stored command may be sent again under its key.
///
/// The numbers in the command must still refer to the same objects. If Fineract has purged the key, or never stored
/// the key, Fineract executes the command again. If this is possible, the gateway first reads whether the effect
/// exists. The guard checks a payment again unless Fineract has stored the payment's key: somebody else may have paid
/// since the last attempt, and Fineract would then pay a second time.
async fn prepare_resend(
    deps: &Deps,
    case: Case<'_>,
    sent: &Attempt,
    trust: Trust,
) -> Result<Prepared, Outcome> {
    let stored = Prepared::resend(sent);
    let honoured_for = trust.honoured_at(case.claimed.claimed_at);
    let history = case.history().honoured_for(honoured_for);
    let keys_kept_for = deps.settings.keys_kept_for;
    require_same_referents(deps, case, sent).await?;
    // Fineract has just shown the audit of the command, so it has stored the key.
    if matches!(case.audit, Some(Audit::Unchecked | Audit::Checked)) {
        return Ok(stored);
    }
    if history.may_be_forgotten(case.claimed.key_number, keys_kept_for) {
        read_before_forgotten_key(deps, case).await?;
    }
    if !case.entry.guarded || is_key_stored(deps, case, &history).await {
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

/// Ends the operation if a command under an earlier key has had its effect.
async fn read_before_new_key(deps: &Deps, case: Case<'_>) -> Result<(), Outcome> {
    match find_effect(deps, case).await? {
        (Finding::Ours, evidence) => Err(succeeded_by_evidence(deps, case, evidence).await),
        (Finding::NotOurs | Finding::Absent | Finding::CannotTell, _) => Ok(()),
    }
}

/// Whether Fineract has certainly stored the key. If so, sending the key again executes nothing. An earlier answer
/// must show that Fineract has stored the key. After that answer, neither a checker who deleted the command nor a
/// restore of Fineract may have removed the key.
async fn is_key_stored(deps: &Deps, case: Case<'_>, history: &History<'_>) -> bool {
    if !history.is_kept(deps.settings.keys_kept_for) || case.audit == Some(Audit::Unseen) {
        return false;
    }
    // The history counts the age of an answer only up to the claim. The reads since the claim have taken time, so
    // count the age up to now. Otherwise a failed call after the answer might seem to be older than the answer.
    let seen = case.claimed.age_now(history.since_still_running_answer());
    let has_failed = deps
        .fineract
        .last_failure()
        .is_some_and(|at| at.elapsed() <= seen);
    !has_failed && deps.fineract.may_have_run_for(seen).await
}

/// Reads what the type needs and plans the operation.
async fn make_plan<'a>(
    deps: &'a Deps,
    case: Case<'a>,
) -> Result<(Plan, Facts, Context<'a>), Outcome> {
    let Case { claimed, entry, .. } = case;
    let reads = match (entry.reads)(&claimed.payload, &deps.deployment, claimed.id) {
        Ok(reads) => reads,
        Err(invalid) => return Err(no_longer_valid(deps, case, &invalid).await),
    };
    let same_reference = deps
        .store
        .same_reference(claimed)
        .await
        .map_err(|error| database_away(claimed, &error))?;
    let facts = match look_up_by_any_name(deps, case, reads).await? {
        Ok(facts) => facts,
        Err(failure) => return Err(read_failed(deps, case, failure).await),
    };
    let context = Context {
        same_reference: same_reference.map(|earlier| earlier.to_string()),
        ..case.context(deps)
    };
    match (entry.plan)(&claimed.payload, &facts, &context) {
        Ok(plan) => Ok((plan, facts, context)),
        Err(invalid) => Err(no_longer_valid(deps, case, &invalid).await),
    }
}

async fn refuse(deps: &Deps, case: Case<'_>, refusal: Refusal) -> Outcome {
    let fails_dependents = (case.entry.fails_dependents)(&[]);
    let refused = refused_unsent(refusal.code, refusal.message, fails_dependents);
    close(deps, case, refused).await
}

/// Refuses a payload that was valid at acceptance, but is invalid under the current settings.
async fn no_longer_valid(deps: &Deps, case: Case<'_>, invalid: &InvalidPayload) -> Outcome {
    let fields: Vec<&str> = invalid
        .problems
        .iter()
        .map(|problem| problem.pointer.as_str())
        .collect();
    let message = format!(
        "Not sent: the payload is no longer valid at {}",
        fields.join(", ")
    );
    close(deps, case, refused_unsent("invalid_payload", message, true)).await
}

/// What the attempt stores about the loan for the transactions API.
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
