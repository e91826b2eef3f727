//! Reading Fineract where a key cannot tell, and deciding by what is there.

use super::{
    backoff,
    case::Case,
    close::{done_by_another, expire, expired},
    deps::Deps,
    find::{find, judge, reason},
    outcome::{park, refused, retry_or_park, same_key_or_park},
    succeed::succeeded_by,
};
use crate::{
    domain::{
        Answer, Outcome,
        decision::{Question, ReadingDecision},
    },
    operations::Evidence,
};

/// Reads Fineract, and decides by what is there.
pub(super) async fn decide_by_reading(
    deps: &Deps,
    case: Case<'_>,
    question: Question,
    answer: &Answer,
) -> Outcome {
    let (finding, evidence) = match find(deps, case).await {
        Ok(found) => found,
        Err(outcome) => return outcome,
    };
    let verdict = judge(deps, case, question, finding).await;
    if case.claimed.is_past_expiry && matches!(verdict, ReadingDecision::NewKey { .. }) {
        return expire(deps, case).await;
    }
    follow_reading(deps, case, verdict, evidence, answer).await
}

/// Reads Fineract before a command is sent again that is so old that Fineract may have purged its
/// key: it would run anew. `Err`: it is not to be sent.
pub(super) async fn look_before_it_runs_anew(deps: &Deps, case: Case<'_>) -> Result<(), Outcome> {
    let (finding, evidence) = find(deps, case).await?;
    Err(
        match judge(deps, case, Question::Forgotten, finding).await {
            ReadingDecision::NewKey { .. } if case.claimed.is_past_expiry => expired(case),
            ReadingDecision::NewKey { .. } => return Ok(()),
            ReadingDecision::Succeeded => succeeded_by(deps, case, evidence).await,
            ReadingDecision::Refused => done_by_another(case, evidence, None),
            ReadingDecision::SameKey { reason_code } => {
                same_key_or_park(deps, case.claimed, reason_code, false, None)
            }
            ReadingDecision::Park { reason_code } => park(reason(reason_code, &evidence)),
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
        (ReadingDecision::Succeeded, evidence) => succeeded_by(deps, case, evidence).await,
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
        (ReadingDecision::Park { reason_code }, evidence) => park(reason(reason_code, &evidence)),
    }
}
