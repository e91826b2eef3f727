//! The failures that callers have read. What is accepted afterwards does not depend on them.

use std::time::{Duration, Instant};

use fastrand::Rng;

use super::{
    caller::{Callers, PAUSE},
    track::{Tracked, track},
};
use fineract_gateway::domain::{OperationId, TrackingId};

/// How long a caller waits for the end of an operation before it continues with its case. An operation that is parked
/// does not end in this time.
pub(super) const END_PATIENCE: Duration = Duration::from_secs(8);

impl Callers<'_> {
    /// Waits until these operations have ended, and records the failures that the caller has read. Returns whether all
    /// of them have ended.
    pub(super) async fn until_ended(&self, ids: &[TrackingId], rng: &mut Rng) -> bool {
        let started = Instant::now();
        for id in ids {
            loop {
                let asked_at = Instant::now();
                let tracked = track(self.system, *id, rng).await;
                if tracked.as_ref().map_or(true, Tracked::is_failure) {
                    self.note_failure_read(id.id, asked_at);
                }
                if matches!(tracked, Ok(Tracked::Ended(_))) {
                    break;
                }
                if started.elapsed() > END_PATIENCE {
                    return false;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        true
    }

    /// Waits until the receiver of webhooks was told of a failure of these operations, but not longer than
    /// [`END_PATIENCE`].
    pub(super) async fn until_failure_told(&self, ids: &[TrackingId]) {
        let started = Instant::now();
        let is_told = |(told, _): &(OperationId, Instant)| ids.iter().any(|id| id.id == *told);
        while !self.system.receiver.failures().iter().any(is_told)
            && started.elapsed() < END_PATIENCE
        {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Records that a caller has read this operation's failure, or may have read it: if no answer arrived, the gateway
    /// may have sent one that reports a failure, and counts the failure as read.
    pub(super) fn note_failure_read(&self, id: OperationId, at: Instant) {
        let at = at.saturating_duration_since(self.started);
        for operation in &mut *self.lock() {
            if operation.id() == Some(id) {
                let before = operation.failure_read_at.unwrap_or(at);
                operation.failure_read_at = Some(before.min(at));
            }
        }
    }
}
