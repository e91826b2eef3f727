//! Waits for permission to call Fineract.

use std::time::Duration;

use tokio::sync::MutexGuard;
use tokio_util::sync::CancellationToken;

use super::{
    backoff,
    deps::Deps,
    outcome::{database_away, postpone},
    protect::SendPermit,
};
use crate::{
    domain::Outcome,
    fineract::Permit,
    store::{Claimed, SUSPECT_AFTER},
};

/// How long an operation that must run alone is postponed while another such operation runs, before jitter. In the
/// meantime, other operations can use the capacity.
const RUNS_ALONE_WAIT: Duration = Duration::from_secs(4);

/// Waits for the retry budget, the concurrency limit and the circuit breaker. `Err`: the operation is
/// postponed.
///
/// Operations of which several claims ended with their process run one at a time. If the process ends again, the
/// gateway then knows which of these operations was the cause.
pub(super) async fn admit<'a>(
    deps: &'a Deps,
    claimed: &Claimed,
    stop: &CancellationToken,
) -> Result<(Permit<'a>, SendPermit, Option<MutexGuard<'a, ()>>), Outcome> {
    let is_retry = claimed.reason_since.is_some();
    if !deps.limiter.allows(is_retry) {
        let delay = backoff::delay(claimed.retrying_for, None);
        return Err(postpone("too_many_retries", delay));
    }
    let handed_back = || postpone("handed_back", Duration::ZERO);
    let alone = match claimed.deaths {
        0..SUSPECT_AFTER => None,
        _ => Some(deps.runs_alone.try_lock().or(Err(postpone(
            "runs_alone",
            backoff::jitter(RUNS_ALONE_WAIT),
        )))?),
    };
    let turn = stop.run_until_cancelled(deps.limiter.acquire()).await;
    let permit = turn.ok_or_else(handed_back)?;
    let send_permit = deps.circuit_breaker.enter().ok_or_else(handed_back)?;
    if alone.is_some() {
        deps.store
            .record_begun(claimed.id, claimed.attempt)
            .await
            .map_err(|error| database_away(claimed, &error))?;
    }
    Ok((permit, send_permit, alone))
}
