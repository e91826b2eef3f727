//! Ends an operation as refused or expired, without another attempt.

use super::{
    case::Case,
    deps::Deps,
    evidence::{decide_by_finding, find_effect, may_have_forgotten_attempts, park_reason},
    outcome::{park, refused_unsent, same_key_or_park},
    succeed::succeeded_by_evidence,
};
use crate::{
    domain::{
        Answer, End, Outcome,
        decision::{Question, ReadingDecision},
    },
    operations::{DONE_BY_ANOTHER, Evidence},
    store::{EXPIRED, EXPIRED_UNSENT},
};

/// Reason code of an operation that the gateway may have sent before its database was restored.
const MAY_HAVE_BEEN_DONE: &str = "may_have_been_done";

/// Ends an operation with this refusal, unless an attempt has had its effect or may still take effect. If Fineract
/// may have seen a command, the gateway reads the evidence first.
pub(super) async fn close(deps: &Deps, case: Case<'_>, refusal: Outcome) -> Outcome {
    #[cfg(feature = "sabotage")]
    if crate::sabotage::is(crate::sabotage::Sabotage::ExpireUnread) {
        return refusal;
    }
    if !case.history().may_have_reached_fineract() && !may_have_forgotten_attempts(case) {
        return refusal;
    }
    close_by_reading(deps, case, refusal).await
}

/// Ends an operation because its `expires_at` has passed, with the same checks as [`close`].
pub(super) async fn expire(deps: &Deps, case: Case<'_>) -> Outcome {
    close(deps, case, expired(case)).await
}

/// The failure of an operation that had no effect by its `expires_at`.
pub(super) fn expired(case: Case<'_>) -> Outcome {
    let message = if case.attempts.is_empty() {
        EXPIRED_UNSENT
    } else {
        "The operation had no effect in Fineract when expires_at passed, and is not sent again"
    };
    let fails_dependents = (case.entry.fails_dependents)(&[]);
    refused_unsent(EXPIRED, message.to_owned(), fails_dependents)
}

/// Ends an operation as failed because somebody else has made its effect. Stores Fineract's refusal, if there is
/// one.
pub(super) fn done_by_another(
    case: Case<'_>,
    evidence: Evidence,
    answer: Option<&Answer>,
) -> Outcome {
    let code = DONE_BY_ANOTHER.to_owned();
    let codes = answer.map(Answer::codes).unwrap_or_default();
    Outcome::End(End::Failed {
        // An answer without an error code is not stored as the failure. An example is a 425, whose body is a copy of
        // the request's body.
        body: answer
            .map(|answer| answer.body.clone())
            .filter(|_| !codes.is_empty()),
        message: match evidence {
            Evidence::NotOurs(message) => message,
            Evidence::Ours(_)
            | Evidence::Changed(_)
            | Evidence::Absent
            | Evidence::CannotTell(_) => "Somebody else has already made the change".to_owned(),
        },
        fails_dependents: (case.entry.fails_dependents)(&[codes, vec![code.clone()]].concat()),
        code,
    })
}

async fn close_by_reading(deps: &Deps, case: Case<'_>, refusal: Outcome) -> Outcome {
    let (finding, evidence) = match find_effect(deps, case).await {
        Ok(found) => found,
        Err(outcome) => return outcome,
    };
    match decide_by_finding(deps, case, Question::Closing, finding).await {
        ReadingDecision::Succeeded => succeeded_by_evidence(deps, case, evidence).await,
        // Only a payment leaves a mark that even an undo does not remove. For other types, an effect that somebody
        // changed later looks the same as no effect. A forgotten attempt may therefore have had its effect.
        ReadingDecision::Refused if may_have_forgotten_attempts(case) && !case.entry.guarded => {
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
        ReadingDecision::Park { reason_code } => park(park_reason(reason_code, &evidence)),
    }
}
