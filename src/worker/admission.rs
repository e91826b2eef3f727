//! Waiting for leave to call Fineract.

use std::time::Duration;

use tokio::sync::MutexGuard;
use tokio_util::sync::CancellationToken;

use super::{
    backoff,
    deps::Deps,
    outcome::{database_away, passed_over},
    protect::SendPermit,
};
use crate::{
    domain::Outcome,
    fineract::Permit,
    store::{Claimed, SUSPECT_AFTER},
};

/// How long an operation that is to run alone is left while another one does, before jitter: it must not keep
/// the place of one that can run.
const SUSPECTS_WAIT: Duration = Duration::from_secs(4);

/// Waits for its turn. `Err`: it has none now, here. What may have killed the processes that held it
/// is run one at a time, so that those beside it are not taken for the cause.
pub(super) async fn admit<'a>(
    deps: &'a Deps,
    claimed: &Claimed,
    stop: &CancellationToken,
) -> Result<(Permit<'a>, SendPermit, Option<MutexGuard<'a, ()>>), Outcome> {
    let is_retry = claimed.reason_since.is_some();
    if !deps.limiter.affords(is_retry) {
        let delay = backoff::delay(claimed.retrying_for, None);
        return Err(passed_over("too_many_retries", delay));
    }
    let handed_back = || passed_over("handed_back", Duration::ZERO);
    let alone = match claimed.deaths {
        0..SUSPECT_AFTER => None,
        _ => Some(deps.suspects.try_lock().or(Err(passed_over(
            "runs_alone",
            backoff::jitter(SUSPECTS_WAIT),
        )))?),
    };
    let turn = stop.run_until_cancelled(deps.limiter.acquire()).await;
    let permit = turn.ok_or_else(handed_back)?;
    let pass = deps.circuit_breaker.enter().ok_or_else(handed_back)?;
    if alone.is_some() {
        deps.store
            .record_begun(claimed.id, claimed.attempt)
            .await
            .map_err(|error| database_away(claimed, &error))?;
    }
    Ok((permit, pass, alone))
}
