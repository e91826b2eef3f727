//! Decides what an answer means for the operation.

use super::{
    case::Case,
    check_books::check_books_before_absence,
    checker::{await_checker, rejected},
    decide_by_reading::decide_by_reading,
    deps::Deps,
    expected_referent::answer_about_another,
    outcome::{park, refused, retry, same_key_or_park},
    succeed::succeeded_by_answer,
    suspect::{note_accepted, suspect},
};
use crate::domain::{
    Outcome, Reply,
    decision::{self, ANSWER_ABOUT_ANOTHER, Decision, History},
};

/// Decides what the reply to the last attempt means. Reads Fineract if the answer alone does not decide.
pub(super) async fn decide_by_answer(deps: &Deps, case: Case<'_>) -> Outcome {
    let Some(reply) = case.attempts.last().and_then(|last| last.reply.as_ref()) else {
        return retry(case.claimed, "not_sent", None);
    };
    let history = deps.unended_keys.observe(case.claimed.id, case.history());
    let decision = decision::decide(reply, &history, deps.settings.patience);
    match decision {
        Decision::Succeeded
        | Decision::Refused
        | Decision::Read(_)
        | Decision::AwaitChecker
        | Decision::Rejected => note_accepted(deps, case.claimed),
        Decision::SameKey { .. } | Decision::Suspect { .. } | Decision::Park { .. } => {}
    }
    if matches!(decision, Decision::Succeeded) {
        return succeeded_by_answer(deps, case).await;
    }
    // This future is large and seldom needed, so it is boxed.
    Box::pin(follow_decision(deps, case, decision, reply)).await
}

async fn follow_decision(
    deps: &Deps,
    case: Case<'_>,
    decision: Decision,
    reply: &Reply,
) -> Outcome {
    let claimed = case.claimed;
    let answer = match reply {
        Reply::Answer(answer) => Some(answer),
        Reply::Failure(_) => None,
    };
    match (decision, answer) {
        (Decision::Succeeded, _) => succeeded_by_answer(deps, case).await,
        (Decision::Refused, Some(answer)) => {
            let is_known = answer.status == 404 && case.knows_a_number();
            match check_books_before_absence(deps, claimed, is_known).await {
                Ok(()) => refused(answer, case.entry),
                Err(outcome) => outcome,
            }
        }
        (Decision::Read(question), Some(answer)) => {
            decide_by_reading(deps, case, question, answer).await
        }
        (
            Decision::SameKey {
                reason_code,
                outage,
            },
            _,
        ) => {
            let retry_after = answer.and_then(|answer| answer.retry_after);
            same_key_or_park(deps, claimed, reason_code, outage, retry_after)
        }
        (Decision::AwaitChecker, _) => await_checker(deps, claimed),
        (Decision::Rejected, _) => rejected(deps, case).await,
        (Decision::Suspect { scope, reason_code }, _) => {
            suspect(deps, claimed, scope, reason_code, may_take_new_key(case)).await
        }
        (Decision::Park { reason_code }, _) => {
            if reason_code == ANSWER_ABOUT_ANOTHER {
                return answer_about_another(claimed);
            }
            park(reason_code)
        }
        // Unreachable: without an answer, the decision is neither to refuse nor to read.
        (Decision::Refused | Decision::Read(_), None) => park("unclassified_answer"),
    }
}

/// Whether an operation that waits for a change in Fineract's setup may use a new key after the change. It needs a
/// new key, because Fineract has stored the refusal under the current key.
fn may_take_new_key(case: Case<'_>) -> bool {
    let history: History<'_> = case.history();
    history.key_has_ended()
        && (case.entry.command().late_copy_is_harmless() || !history.may_still_run())
}
