//! Whether a command may be sent, for all that is known of idempotency keys.

use std::time::{Duration, Instant};

use super::{
    backoff,
    case::Case,
    deps::Deps,
    keys::{Trust, kind},
    outcome::{database_away, passed_over, retry, same_key_or_park},
    probe::{Doubt, NOT_HONOURED, ask_about_keys, block_keys, open_keys},
    suspect::suspect,
    unread::unread,
};
use crate::{
    domain::{
        Answer, FineractCommand, Outcome, Reply,
        decision::{self, Decision, History},
    },
    fineract::ReadFailure,
    store::Claimed,
};

/// Why one is not sent again: nobody knows whether its key is honoured.
const UNPROVEN: &str = "keys_unproven";

/// How long another gateway is waited for that is asking, before jitter.
const ASKED_ELSEWHERE: Duration = Duration::from_millis(400);

/// Whether the operation's command may be sent, for all that is known of keys. It asks where that is not
/// known of Fineract's process; before a command is sent again, it looks whether that is still the same.
pub(super) async fn require_keys(deps: &Deps, case: Case<'_>) -> Result<Trust, Outcome> {
    #[cfg(feature = "sabotage")]
    if crate::sabotage::is(crate::sabotage::Sabotage::TrustsKeys) {
        return Ok(Trust::Unproven);
    }
    let claimed = case.claimed;
    let is_resent = was_sent(case);
    match trust(deps, kind(case.entry), is_resent).await {
        Ok(Trust::Unproven) if is_resent && !case.entry.command().late_copy_is_harmless() => {
            Err(same_key_or_park(deps, claimed, UNPROVEN, false, None))
        }
        Ok(trust) => Ok(trust),
        Err(Doubt::NotHonoured) => Err(retry(claimed, NOT_HONOURED, None)),
        Err(Doubt::BeingAsked) => Err(passed_over(UNPROVEN, backoff::jitter(ASKED_ELSEWHERE))),
        Err(Doubt::Unread(ReadFailure::Refused(answer))) => {
            Err(unasked(deps, claimed, &answer).await)
        }
        Err(Doubt::Unread(failure)) => Err(unread(deps, case, failure).await),
        Err(Doubt::Database(error)) => Err(database_away(claimed, &error)),
    }
}

/// What becomes of an operation that would be answered as what was to ask about its key: it waits for the
/// same reason, but is never refused, which only its own answer does.
async fn unasked(deps: &Deps, claimed: &Claimed, answer: &Answer) -> Outcome {
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

/// What a kind's commands may rest on: what is known, else what asking tells; `anew`: of the process that is
/// there now.
pub(super) async fn trust(deps: &Deps, kind: FineractCommand, anew: bool) -> Result<Trust, Doubt> {
    let now = Instant::now();
    let looked_since = anew.then_some(now);
    let last_failure = deps.fineract.last_failure();
    if let Some(trust) = deps.keys.in_force(kind, looked_since, last_failure) {
        return Ok(trust);
    }
    let asked = ask_about_keys(deps, kind, now).await;
    match &asked {
        Ok(_) => open_keys(deps, kind),
        Err(Doubt::NotHonoured) => block_keys(deps, kind),
        Err(Doubt::BeingAsked | Doubt::Unread(_) | Doubt::Database(_)) => {}
    }
    asked
}

/// Whether Fineract may have seen the key that is to be sent.
fn was_sent(case: Case<'_>) -> bool {
    case.history()
        .may_have_reached_fineract_under(case.claimed.key_number)
}
