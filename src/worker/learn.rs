//! If no probe was possible, learns from the answer to an operation whether Fineract honours keys.

use super::{
    case::Case,
    deps::Deps,
    keys::{Trust, kind},
    probe::{KeyTrustError, write_verdict},
    referents::{ReferentCheck, check_referents},
};
use crate::{
    domain::{Answer, Attempt, End, IdempotencyKey, Method, Outcome, ProbeVerdict, Reply, Request},
    operations::Entry,
    telemetry::chain,
};

/// Learns from an operation that has just been answered whether Fineract honours the keys of its kind of command,
/// if no probe was possible. A stored answer proves that keys are honoured. After a success, the gateway sends the
/// same command again under the same key, if a second execution would do no harm.
pub(super) async fn learn_of_keys(deps: &Deps, case: Case<'_>, outcome: &Outcome) {
    #[cfg(feature = "sabotage")]
    if crate::sabotage::is(crate::sabotage::Sabotage::TrustsKeys) {
        return;
    }
    let (Some(last), true) = (case.attempts.last(), can_learn_from(deps, case)) else {
        return;
    };
    let result = match &last.reply {
        Some(Reply::Answer(answer)) if answer.cached => ProbeVerdict::Honoured,
        Some(Reply::Answer(answer)) if is_harmless_success(case.entry, outcome, answer) => {
            send_again_under_its_key(deps, case, last).await
        }
        Some(Reply::Answer(_) | Reply::Failure(_)) | None => ProbeVerdict::Inconclusive,
    };
    if result == ProbeVerdict::Inconclusive {
        return;
    }
    let kind = kind(case.entry);
    let process = deps.keys.process();
    match write_verdict(deps, kind, result, None, process).await {
        Err(KeyTrustError::Database(error)) => {
            tracing::warn!(error = %chain(&error), "the verdict on idempotency keys could not be written; the gateway determines it again later");
        }
        Ok(_)
        | Err(
            KeyTrustError::NotHonoured
            | KeyTrustError::ProbedElsewhere
            | KeyTrustError::Fineract(_),
        ) => {}
    }
}

/// Whether the gateway does not know yet if Fineract honours the keys, and the last answer can show it. The answer to
/// a delete cannot show it, because a second delete finds nothing to delete.
pub(super) fn can_learn_from(deps: &Deps, case: Case<'_>) -> bool {
    let is_delete = |request: &Request| request.method == Method::Delete;
    !case.history().request().is_none_or(is_delete)
        && deps
            .keys
            .current_trust(kind(case.entry), None, deps.fineract.last_failure())
            == Some(Trust::Unproven)
}

fn is_harmless_success(entry: &Entry, outcome: &Outcome, answer: &Answer) -> bool {
    entry.command().late_copy_is_harmless()
        && matches!(outcome, Outcome::End(End::Succeeded { .. }))
        && answer.status == 200
}

/// Sends a command that has succeeded again, under the same key. As before every repeated command, the gateway first
/// checks that the numbers in the command still refer to the same objects and that the operation is not on hold. If
/// one of the two is not the case, the command is not sent and the result is `Inconclusive`.
async fn send_again_under_its_key(deps: &Deps, case: Case<'_>, last: &Attempt) -> ProbeVerdict {
    let is_same = matches!(
        check_referents(deps, case.claimed, last).await,
        Ok(ReferentCheck::Same)
    );
    let is_on_hold = deps.store.is_on_hold(case.claimed.id).await;
    if !is_same || !matches!(is_on_hold, Ok(false)) {
        return ProbeVerdict::Inconclusive;
    }
    let key = IdempotencyKey {
        id: case.claimed.id,
        number: last.key_number,
    };
    match deps.fineract.send(&last.request, key).await {
        Reply::Answer(answer) => ProbeVerdict::by_second(&answer),
        Reply::Failure(_) => ProbeVerdict::Inconclusive,
    }
}
