//! Waiting for leave to call Fineract.

use std::time::Duration;

use tokio::sync::MutexGuard;
use tokio_util::sync::CancellationToken;

use super::{conclude::Conclusion, gate::Pass, runner::Runner};
use crate::{
    fineract::Permit,
    store::{Claimed, SUSPECT_AFTER, Verdict},
};

impl Runner {
    /// Waits for its turn. `Err`: it has none now, here. What may have killed the processes that held it
    /// is run one at a time, so that those beside it are not taken for the cause.
    pub(super) async fn admit(
        &self,
        claimed: &Claimed,
        stop: &CancellationToken,
    ) -> Result<(Permit<'_>, Pass, Option<MutexGuard<'_, ()>>), Conclusion> {
        let is_retry = claimed.why_since.is_some();
        if !self.limiter.affords(is_retry) {
            return Err(Conclusion::again(claimed, "too_many_retries", None));
        }
        let handed_back = || {
            Conclusion::unsent(Verdict::Again {
                delay: Duration::ZERO,
                new_key: false,
                why: "handed_back",
                counts: false,
            })
        };
        let alone = match claimed.deaths {
            0..SUSPECT_AFTER => None,
            _ => Some(
                stop.run_until_cancelled(self.suspects.lock())
                    .await
                    .ok_or_else(handed_back)?,
            ),
        };
        let turn = stop.run_until_cancelled(self.limiter.acquire()).await;
        let permit = turn.ok_or_else(handed_back)?;
        let pass = self.gate().enter().ok_or_else(handed_back)?;
        if alone.is_some() {
            self.store
                .note_begun(claimed.id, claimed.attempt)
                .await
                .map_err(|error| Conclusion::database_away(claimed, &error))?;
        }
        Ok((permit, pass, alone))
    }
}
