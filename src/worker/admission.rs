//! Waiting for leave to call Fineract.

use std::time::Duration;

use tokio::sync::MutexGuard;
use tokio_util::sync::CancellationToken;

use super::{backoff, conclude::Conclusion, protect::SendPermit, runner::Runner};
use crate::{
    fineract::Permit,
    store::{Claimed, SUSPECT_AFTER},
};

/// How long an operation that is to run alone is left while another one does, before jitter: it must not keep
/// the place of one that can run.
const SUSPECTS_WAIT: Duration = Duration::from_secs(4);

impl Runner {
    /// Waits for its turn. `Err`: it has none now, here. What may have killed the processes that held it
    /// is run one at a time, so that those beside it are not taken for the cause.
    pub(super) async fn admit(
        &self,
        claimed: &Claimed,
        stop: &CancellationToken,
    ) -> Result<(Permit<'_>, SendPermit, Option<MutexGuard<'_, ()>>), Conclusion> {
        let is_retry = claimed.reason_since.is_some();
        if !self.limiter.affords(is_retry) {
            let delay = backoff::delay(claimed.retrying_for, None);
            return Err(Conclusion::passed_over("too_many_retries", delay));
        }
        let handed_back = || Conclusion::passed_over("handed_back", Duration::ZERO);
        let alone = match claimed.deaths {
            0..SUSPECT_AFTER => None,
            _ => Some(self.suspects.try_lock().or(Err(Conclusion::passed_over(
                "runs_alone",
                backoff::jitter(SUSPECTS_WAIT),
            )))?),
        };
        let turn = stop.run_until_cancelled(self.limiter.acquire()).await;
        let permit = turn.ok_or_else(handed_back)?;
        let pass = self.circuit_breaker().enter().ok_or_else(handed_back)?;
        if alone.is_some() {
            self.store
                .note_begun(claimed.id, claimed.attempt)
                .await
                .map_err(|error| Conclusion::database_away(claimed, &error))?;
        }
        Ok((permit, pass, alone))
    }
}
