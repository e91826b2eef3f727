//! Reads Fineract if the answer alone does not decide, and decides by the evidence.

use super::{
    backoff,
    case::Case,
    close::{done_by_another, expire, expired},
    deps::Deps,
    evidence::{decide_by_finding, find_effect, park_reason},
    outcome::{park, refused, retry_or_park, same_key_or_park},
    succeed::succeeded_by_evidence,
};
use crate::{
    domain::{
        Answer, Outcome,
        decision::{Question, ReadingDecision},
    },
    operations::Evidence,
};

/// Reads the evidence in Fineract, and decides by the evidence. `answer` is Fineract's answer, which did not
/// decide.
pub(super) async fn decide_by_reading(
    deps: &Deps,
    case: Case<'_>,
    question: Question,
    answer: &Answer,
) -> Outcome {
    let (finding, evidence) = match find_effect(deps, case).await {
        Ok(found) => found,
        Err(outcome) => return outcome,
    };
    let verdict = decide_by_finding(deps, case, question, finding).await;
    if case.claimed.is_past_expiry && matches!(verdict, ReadingDecision::NewKey { .. }) {
        return expire(deps, case).await;
    }
    follow_reading(deps, case, verdict, evidence, answer).await
}

/// Reads the evidence before a command is sent again under a key that Fineract may no longer have. Without the key,
/// Fineract would execute the command again. `Err`: do not send the command.
pub(super) async fn read_before_forgotten_key(deps: &Deps, case: Case<'_>) -> Result<(), Outcome> {
    let (finding, evidence) = find_effect(deps, case).await?;
    Err(
        match decide_by_finding(deps, case, Question::Forgotten, finding).await {
            ReadingDecision::NewKey { .. } if case.claimed.is_past_expiry => expired(case),
            ReadingDecision::NewKey { .. } => return Ok(()),
            ReadingDecision::Succeeded => succeeded_by_evidence(deps, case, evidence).await,
            ReadingDecision::Refused => done_by_another(case, evidence, None),
            ReadingDecision::SameKey { reason_code } => {
                same_key_or_park(deps, case.claimed, reason_code, false, None)
            }
            ReadingDecision::Park { reason_code } => park(park_reason(reason_code, &evidence)),
        },
    )
}

async fn follow_reading(
    deps: &Deps,
    case: Case<'_>,
    verdict: ReadingDecision,
    evidence: Evidence,
    answer: &Answer,
) -> Outcome {
    match (verdict, evidence) {
        (ReadingDecision::Succeeded, evidence) => succeeded_by_evidence(deps, case, evidence).await,
        (ReadingDecision::Refused, not_ours @ Evidence::NotOurs(_)) => {
            done_by_another(case, not_ours, Some(answer))
        }
        (ReadingDecision::Refused, _) => refused(answer, case.entry),
        (ReadingDecision::NewKey { reason_code }, _) => {
            let delay = backoff::delay(case.claimed.retrying_for, answer.retry_after);
            retry_or_park(deps, case.claimed, reason_code, delay, true)
        }
        (ReadingDecision::SameKey { reason_code }, _) => {
            same_key_or_park(deps, case.claimed, reason_code, false, None)
        }
        (ReadingDecision::Park { reason_code }, evidence) => {
            park(park_reason(reason_code, &evidence))
        }
    }
}
