//! Learning whether keys are honoured from an operation that was just answered.

use super::{
    case::Case,
    deps::Deps,
    keys::{Trust, kind},
    probe::{Doubt, write_verdict},
    referents::{Meaning, meaning_of},
};
use crate::{
    domain::{Answer, Attempt, End, IdempotencyKey, Method, Outcome, ProbeVerdict, Reply, Request},
    operations::Entry,
    telemetry::chain,
};

/// Whether the answer that an operation has just got may be used to learn of its kind's keys, of which
/// nothing is known; a delete's may not: sent again, it finds nothing.
pub(super) fn is_to_learn(deps: &Deps, case: Case<'_>) -> bool {
    let is_delete = |request: &Request| request.method == Method::Delete;
    !case.history().request().is_none_or(is_delete)
        && deps
            .keys
            .in_force(kind(case.entry), None, deps.fineract.last_failure())
            == Some(Trust::Unproven)
}

/// Sends once more, under its key, what has just succeeded: as anything that is sent again, only while its numbers
/// mean what they meant, and not while it is on hold.
async fn send_once_more(deps: &Deps, case: Case<'_>, last: &Attempt) -> ProbeVerdict {
    let is_same = matches!(
        meaning_of(deps, case.claimed, last).await,
        Ok(Meaning::Same)
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

/// Learns of a kind's keys, where nothing could be asked, from an operation that was just answered: a stored
/// answer proves them. A success whose late copy does no harm is sent once more under its key.
pub(super) async fn learn_of_keys(deps: &Deps, case: Case<'_>, outcome: &Outcome) {
    #[cfg(feature = "sabotage")]
    if crate::sabotage::is(crate::sabotage::Sabotage::TrustsKeys) {
        return;
    }
    let (Some(last), true) = (case.attempts.last(), is_to_learn(deps, case)) else {
        return;
    };
    let said = match &last.reply {
        Some(Reply::Answer(answer)) if answer.cached => ProbeVerdict::Honoured,
        Some(Reply::Answer(answer)) if is_harmless_success(case.entry, outcome, answer) => {
            send_once_more(deps, case, last).await
        }
        Some(Reply::Answer(_) | Reply::Failure(_)) | None => ProbeVerdict::Inconclusive,
    };
    if said == ProbeVerdict::Inconclusive {
        return;
    }
    let kind = kind(case.entry);
    let process = deps.keys.process();
    match write_verdict(deps, kind, said, None, process).await {
        Err(Doubt::Database(error)) => {
            tracing::warn!(error = %chain(&error), "what was learnt of keys is not written");
        }
        Ok(_) | Err(Doubt::NotHonoured | Doubt::BeingAsked | Doubt::Unread(_)) => {}
    }
}

fn is_harmless_success(entry: &Entry, outcome: &Outcome, answer: &Answer) -> bool {
    entry.command().late_copy_is_harmless()
        && matches!(outcome, Outcome::End(End::Succeeded { .. }))
        && answer.status == 200
}
