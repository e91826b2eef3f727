//! Decides whether a command may be sent, given what is known about idempotency keys.

use std::time::{Duration, Instant};

use super::{
    backoff,
    case::Case,
    deps::Deps,
    keys::{Trust, kind},
    outcome::{database_away, postpone, retry, same_key_or_park},
    probe::{KeyTrustError, NOT_HONOURED, block_keys, unblock_keys, verify_keys},
    read_failed::read_failed,
    suspect::suspect,
};
use crate::{
    domain::{
        Answer, FineractCommand, Outcome, Reply,
        decision::{self, Decision, History},
    },
    fineract::ReadFailure,
    operations::Entry,
    store::Claimed,
};

/// Reason code of a command that is not sent again because nobody knows whether its key is honoured.
const UNPROVEN: &str = "keys_unproven";

/// How long an operation waits while another gateway runs the key probe, before jitter.
const PROBED_ELSEWHERE_WAIT: Duration = Duration::from_millis(400);

/// Decides whether the command may be sent. Before a command is sent again, the gateway verifies that the same
/// process of Fineract still answers, and probes the keys of a new process. `Err`: do not send now.
pub(super) async fn require_keys(deps: &Deps, case: Case<'_>) -> Result<Trust, Outcome> {
    #[cfg(feature = "sabotage")]
    if crate::sabotage::is(crate::sabotage::Sabotage::TrustsKeys) {
        return Ok(Trust::Unproven);
    }
    let claimed = case.claimed;
    let is_resent = was_sent(case);
    match key_trust(deps, kind(case.entry), is_resent).await {
        Ok(Trust::Unproven) if is_resent && !case.entry.command().late_copy_is_harmless() => {
            Err(same_key_or_park(deps, claimed, UNPROVEN, false, None))
        }
        Ok(trust) => Ok(trust),
        Err(KeyTrustError::NotHonoured) => Err(retry(claimed, NOT_HONOURED, None)),
        Err(KeyTrustError::ProbedElsewhere) => {
            Err(postpone(UNPROVEN, backoff::jitter(PROBED_ELSEWHERE_WAIT)))
        }
        Err(KeyTrustError::Fineract(ReadFailure::Refused(answer))) => {
            Err(wait_after_refused_probe(deps, claimed, &answer).await)
        }
        Err(KeyTrustError::Fineract(failure)) => Err(read_failed(deps, case, failure).await),
        Err(KeyTrustError::Database(error)) => Err(database_away(claimed, &error)),
    }
}

/// Whether the keys of new commands of this type are known to be honoured, without asking Fineract.
pub(super) fn are_keys_honoured(deps: &Deps, entry: &Entry) -> bool {
    let last_failure = deps.fineract.last_failure();
    let trust = deps.keys.current_trust(kind(entry), None, last_failure);
    matches!(trust, Some(Trust::Honoured(_)))
}

/// How far commands of this kind can rely on their keys, according to the last verdict. If the last verdict is no
/// longer valid, a new probe is run. With `of_current_process`, the verdict must be about the process of Fineract that
/// answers now.
pub(super) async fn key_trust(
    deps: &Deps,
    kind: FineractCommand,
    of_current_process: bool,
) -> Result<Trust, KeyTrustError> {
    let now = Instant::now();
    let process_read_since = of_current_process.then_some(now);
    let last_failure = deps.fineract.last_failure();
    if let Some(trust) = deps
        .keys
        .current_trust(kind, process_read_since, last_failure)
    {
        return Ok(trust);
    }
    let verified = verify_keys(deps, kind, now).await;
    match &verified {
        Ok(_) => unblock_keys(deps, kind),
        Err(KeyTrustError::NotHonoured) => block_keys(deps, kind),
        Err(
            KeyTrustError::ProbedElsewhere
            | KeyTrustError::Fineract(_)
            | KeyTrustError::Database(_),
        ) => {}
    }
    verified
}

/// Whether Fineract may have seen the key that is about to be sent.
fn was_sent(case: Case<'_>) -> bool {
    case.history()
        .may_have_reached_fineract_under(case.claimed.key_number)
}

/// Delays an operation because Fineract refused the key probe with this answer. The operation waits as if its own
/// command had received this answer. But it cannot end because of this answer: only an answer to its own command
/// can end it.
async fn wait_after_refused_probe(deps: &Deps, claimed: &Claimed, answer: &Answer) -> Outcome {
    let reply = Reply::Answer(answer.clone());
    match decision::decide(&reply, &History::new(&[]), deps.settings.patience) {
        Decision::Suspect { scope, reason_code } => {
            suspect(deps, claimed, scope, reason_code, false).await
        }
        Decision::SameKey {
            reason_code,
            outage,
        } => same_key_or_park(deps, claimed, reason_code, outage, answer.retry_after),
        Decision::Succeeded
        | Decision::Refused
        | Decision::Read(_)
        | Decision::AwaitChecker
        | Decision::Rejected
        | Decision::Park { .. } => retry(claimed, UNPROVEN, answer.retry_after),
    }
}
