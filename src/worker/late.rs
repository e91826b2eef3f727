//! Commands of earlier operations that may be executed late.

use std::time::Duration;

use super::{conclude::Conclusion, runner::Runner};
use crate::{
    domain::{Attempt, CommandKind, IdempotencyKey, OperationId, OperationType, decision::History},
    store::Claimed,
};

impl Runner {
    /// Waits until no earlier operation of that type in the lane has a command left, under an older key,
    /// that could be executed late: while what the second brought about stands, Fineract refuses it, and
    /// keeps that refusal under the key. Only then may that be taken away.
    pub(super) async fn wait_for_late_commands(
        &self,
        claimed: &Claimed,
        reopened: OperationType,
    ) -> Result<(), Conclusion> {
        let away = |error| Conclusion::database_away(claimed, &error);
        let rekeyed = self.store.rekeyed_before(claimed, reopened).await;
        for earlier in rekeyed.map_err(away)? {
            let attempts = self.store.attempts(earlier).await.map_err(away)?;
            if self.may_come_late(earlier, reopened, attempts).await {
                return Err(self.again_or_park(claimed, "an_attempt_may_still_run", false, None));
            }
        }
        Ok(())
    }

    /// Whether a command of an operation that has ended may still be executed. Its keys are asked: what
    /// has been executed, or refused, by now is answered from Fineract's books.
    async fn may_come_late(
        &self,
        id: OperationId,
        operation_type: OperationType,
        mut attempts: Vec<Attempt>,
    ) -> bool {
        let history = History::new(&attempts);
        if !history.may_still_run() {
            return false;
        }
        // A key that is not honoured is not asked: the command would run.
        let Ok(trust) = self.trust(CommandKind::of(operation_type), true).await else {
            return true;
        };
        let uptime = self.fineract.uptime().await;
        let open: Vec<_> = history
            .up_for(uptime)
            .honoured_for(trust.honoured_for())
            .open_commands(self.settings().keys_kept_for)
            .into_iter()
            .map(|(key_number, request, is_kept)| (key_number, request.clone(), is_kept))
            .collect();
        for (number, request, is_kept) in open {
            if !is_kept {
                return true;
            }
            let reply = self
                .fineract
                .send(&request, IdempotencyKey { id, number })
                .await;
            let place = attempts.partition_point(|attempt| attempt.key_number <= number);
            let asked = Attempt {
                number: 0,
                key_number: number,
                request,
                user: None,
                reply: Some(reply),
                age: Duration::ZERO,
                foreseen: false,
            };
            attempts.insert(place, asked);
        }
        History::new(&attempts).up_for(uptime).may_still_run()
    }
}
