//! Ending an operation without another try.

use super::{
    case::Case,
    deps::Deps,
    find::{find, is_forgotten, judge, reason},
    outcome::{park, refused_unsent, same_key_or_park},
    succeed::succeeded_by,
};
use crate::{
    domain::{
        Answer, End, Outcome,
        decision::{Question, ReadingDecision},
    },
    operations::{DONE_BY_ANOTHER, Evidence},
    store::{EXPIRED, EXPIRED_UNSENT},
};

/// Why an operation is left to a person that a restored database may have forgotten to have sent.
const MAY_HAVE_BEEN_DONE: &str = "may_have_been_done";

/// Ends an operation without another try, with this refusal, unless an attempt of it has taken effect,
/// or may still do so: closed is not without effect until Fineract has been read.
pub(super) async fn close(deps: &Deps, case: Case<'_>, refusal: Outcome) -> Outcome {
    #[cfg(feature = "sabotage")]
    if crate::sabotage::is(crate::sabotage::Sabotage::ExpireUnread) {
        return refusal;
    }
    if !case.history().may_have_reached_fineract() && !is_forgotten(case) {
        return refusal;
    }
    close_by_reading(deps, case, refusal).await
}

/// Ends an operation because its time has passed: as any that is closed.
pub(super) async fn expire(deps: &Deps, case: Case<'_>) -> Outcome {
    close(deps, case, expired(case)).await
}

async fn close_by_reading(deps: &Deps, case: Case<'_>, refusal: Outcome) -> Outcome {
    let (finding, evidence) = match find(deps, case).await {
        Ok(found) => found,
        Err(outcome) => return outcome,
    };
    match judge(deps, case, Question::Closing, finding).await {
        ReadingDecision::Succeeded => succeeded_by(deps, case, evidence).await,
        // Only a payment leaves a mark that nothing takes away, an undo included: that others have changed since
        // what else was done looks the same as if it had not been.
        ReadingDecision::Refused if is_forgotten(case) && !case.entry.guarded => {
            park(MAY_HAVE_BEEN_DONE)
        }
        ReadingDecision::Refused => match evidence {
            Evidence::NotOurs(_) => done_by_another(case, evidence, None),
            Evidence::Ours(_)
            | Evidence::Changed(_)
            | Evidence::Absent
            | Evidence::CannotTell(_) => refusal,
        },
        ReadingDecision::NewKey { reason_code } | ReadingDecision::SameKey { reason_code } => {
            same_key_or_park(deps, case.claimed, reason_code, false, None)
        }
        ReadingDecision::Park { reason_code } => park(reason(reason_code, &evidence)),
    }
}

/// Ends it as what somebody else has done, with Fineract's refusal where there is one.
pub(super) fn done_by_another(
    case: Case<'_>,
    evidence: Evidence,
    answer: Option<&Answer>,
) -> Outcome {
    let code = DONE_BY_ANOTHER.to_owned();
    let codes = answer.map(Answer::codes).unwrap_or_default();
    Outcome::End(End::Failed {
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
    })
}

/// Nothing took effect in time, and nothing will be sent any more.
pub(super) fn expired(case: Case<'_>) -> Outcome {
    let message = if case.attempts.is_empty() {
        EXPIRED_UNSENT
    } else {
        "It had no effect in Fineract when expires_at passed, and is not sent again"
    };
    let fails_dependents = (case.entry.fails_dependents)(&[]);
    refused_unsent(EXPIRED, message.to_owned(), fails_dependents)
}
