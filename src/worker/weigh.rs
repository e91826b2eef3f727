//! After an answer: what it means, and what becomes of the operation.

use super::{
    case::Case,
    check_books::check_books_of_missing,
    checker::{await_checker, rejected},
    deps::Deps,
    meant::answer_about_another,
    outcome::{park, refused, retry, same_key_or_park},
    read::decide_by_reading,
    succeed::succeeded,
    suspect::{note_taken, suspect},
};
use crate::domain::{
    Outcome, Reply,
    decision::{self, ANSWER_ABOUT_ANOTHER, Decision, History},
};

/// Decides what the last attempt's reply means, reading Fineract where its key cannot tell.
pub(super) async fn weigh(deps: &Deps, case: Case<'_>) -> Outcome {
    let Some(reply) = case.attempts.last().and_then(|last| last.reply.as_ref()) else {
        return retry(case.claimed, "not_sent", None);
    };
    let history = deps.watched.look_at(case.claimed.id, case.history());
    let decision = decision::decide(reply, &history, deps.settings.patience);
    match decision {
        Decision::Succeeded
        | Decision::Refused
        | Decision::Read(_)
        | Decision::AwaitChecker
        | Decision::Rejected => note_taken(deps, case.claimed),
        Decision::SameKey { .. } | Decision::Suspect { .. } | Decision::Park { .. } => {}
    }
    follow(deps, case, decision, reply).await
}

async fn follow(deps: &Deps, case: Case<'_>, decision: Decision, reply: &Reply) -> Outcome {
    let claimed = case.claimed;
    let answer = match reply {
        Reply::Answer(answer) => Some(answer),
        Reply::Failure(_) => None,
    };
    match (decision, answer) {
        (Decision::Succeeded, _) => succeeded(deps, case).await,
        (Decision::Refused, Some(answer)) => {
            let is_known = answer.status == 404 && case.knows_a_number();
            match check_books_of_missing(deps, claimed, is_known).await {
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
            let asked = answer.and_then(|answer| answer.retry_after);
            same_key_or_park(deps, claimed, reason_code, outage, asked)
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
        // Only an answer refuses, or has to be read about.
        (Decision::Refused | Decision::Read(_), None) => park("unclassified_answer"),
    }
}

/// Whether what has to be set up first may be tried under a new key: the refusal is stored under this one.
fn may_take_new_key(case: Case<'_>) -> bool {
    let history: History<'_> = case.history();
    history.key_has_ended()
        && (case.entry.command().late_copy_is_harmless() || !history.may_still_run())
}
