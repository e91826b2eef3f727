//! Waits for permission to call Fineract.

use std::time::Duration;

use tokio::sync::MutexGuard;
use tokio_util::sync::CancellationToken;

use super::{
    backoff,
    deps::Deps,
    outcome::{HANDED_BACK, database_away, postpone},
    protect::SendPermit,
};
use crate::{
    domain::Outcome,
    fineract::Permit,
    store::{Claimed, SUSPECT_AFTER},
};

/// If an operation must run alone and another such operation is running, it is postponed for about this time (jitter is
/// added). In the meantime, other operations can use the capacity.
const RUNS_ALONE_WAIT: Duration = Duration::from_secs(4);

/// The permission to call Fineract for one operation.
#[derive(Debug)]
pub(super) struct Admission<'a> {
    permit: Option<Permit<'a>>,
    _send_permit: SendPermit,
    _alone: Option<MutexGuard<'a, ()>>,
}

impl<'a> Admission<'a> {
    /// Returns the permit while the attempt is committed, if Fineract would otherwise wait for the commit.
    pub(super) fn pause(&mut self, deps: &Deps) {
        if deps.limiter.is_faster_than_a_commit() {
            self.permit = None;
        }
    }

    /// Waits for a permit again, if it was returned.
    pub(super) async fn resume(&mut self, deps: &'a Deps) {
        if self.permit.is_none() {
            self.permit = Some(deps.limiter.acquire().await);
        }
    }
}

/// Waits for the retry budget, the concurrency limit and the circuit breaker. `Err`: the operation is
/// postponed.
///
/// If several claims of an operation have ended together with their process, the operation is suspect. Suspect
/// operations run one at a time. If the process ends again, the gateway then knows which of them was the cause.
pub(super) async fn admit<'a>(
    deps: &'a Deps,
    claimed: &Claimed,
    stop: &CancellationToken,
) -> Result<Admission<'a>, Outcome> {
    let is_retry = claimed.reason_since.is_some();
    if !deps.limiter.allows(is_retry) {
        let delay = backoff::delay(claimed.retrying_for, None);
        return Err(postpone("too_many_retries", delay));
    }
    let handed_back = || postpone(HANDED_BACK, Duration::ZERO);
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
    Ok(Admission {
        permit: Some(permit),
        _send_permit: send_permit,
        _alone: alone,
    })
}
