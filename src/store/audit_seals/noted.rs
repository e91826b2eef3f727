//! The newest seal in the log and in `/metrics`, once an hour: whoever keeps these can tell later whether somebody
//! has written the seals anew.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{ACTION, SealMark, newest_seal};
use crate::{
    store::{Store, StoreError, patience::WithTimeout},
    telemetry::chain,
};

/// The pause between two looks at the audit.
const LOOK: Duration = Duration::from_secs(5);
/// The time between two seals that are noted. More often, `/metrics` would give too many series.
const NOTE: Duration = Duration::from_hours(1);

impl Store {
    /// The seal of the audit that this process has noted last. A new one is noted once an hour.
    pub fn noted_seal(&self) -> Option<SealMark> {
        self.noted_seal.borrow().clone()
    }

    /// Reports and notes for ever.
    pub(super) async fn keep_noting(&self) {
        let mut noted_at: Option<Instant> = None;
        loop {
            let is_due = noted_at.is_none_or(|at| at.elapsed() >= NOTE);
            match self.note_seal(is_due).await {
                Ok(true) => noted_at = Some(Instant::now()),
                Ok(false) => {}
                Err(error) => {
                    tracing::debug!(error = %chain(&error), "the seals of the audit could not be read; trying again");
                }
            }
            sleep(LOOK).await;
        }
    }

    /// Sets the gauges, and notes the newest seal if that is due. Returns whether a seal was noted.
    async fn note_seal(&self, is_due: bool) -> Result<bool, StoreError> {
        let unsealed = sqlx::query!(
            r#"SELECT count(*) AS "count!", COALESCE(EXTRACT(EPOCH FROM now() - min(at)), 0)::float8 AS "oldest!"
                 FROM audit
                WHERE id > COALESCE((SELECT last_id FROM audit_seal ORDER BY number DESC LIMIT 1), '-9223372036854775808'::bigint)"#
        )
        .fetch_one(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        let count = u32::try_from(unsealed.count).unwrap_or(u32::MAX);
        metrics::gauge!("gateway_audit_unsealed").set(count);
        metrics::gauge!("gateway_oldest_unsealed_audit_seconds").set(unsealed.oldest);
        if !is_due {
            return Ok(false);
        }
        let Some(newest) = newest_seal(&self.pool).await? else {
            return Ok(false);
        };
        let mark = newest.mark();
        tracing::info!(seal = %mark, "the newest seal of the audit");
        self.noted_seal.send_replace(Some(mark));
        Ok(true)
    }
}
