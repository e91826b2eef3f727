//! Commands of earlier operations that may be executed late.

use std::time::Duration;

use super::{
    conclude::Conclusion,
    referents::{Meaning, number_means_another},
    runner::Runner,
};
use crate::{
    domain::{
        Attempt, FineractCommand, IdempotencyKey, OperationId, OperationType, decision::History,
    },
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
        if self.store.is_on_hold(claimed.id).await.map_err(away)? {
            return Err(Conclusion::passed_over("on_hold", Duration::ZERO));
        }
        let rekeyed = self.store.rekeyed_before(claimed, reopened).await;
        for earlier in rekeyed.map_err(away)? {
            let attempts = self.store.attempts(earlier).await.map_err(away)?;
            if self
                .may_come_late(claimed, (earlier, reopened), attempts)
                .await?
            {
                return Err(self.again_or_park(claimed, "an_attempt_may_still_run", false, None));
            }
        }
        Ok(())
    }

    /// Whether a command of an operation that has ended may still be executed. Its keys are asked: what
    /// has been executed, or refused, by now is answered from Fineract's books.
    async fn may_come_late(
        &self,
        claimed: &Claimed,
        (id, operation_type): (OperationId, OperationType),
        mut attempts: Vec<Attempt>,
    ) -> Result<bool, Conclusion> {
        // What was sent to other books comes in none of these, but what a checker may have before him once more.
        if !History::new(&attempts).was_put_up() {
            attempts.retain(|attempt| attempt.epoch == claimed.epoch);
        }
        let history = History::new(&attempts);
        if !history.may_still_run() {
            return Ok(false);
        }
        // A key that is not honoured is not asked: the command would run.
        let Ok(trust) = self
            .trust(FineractCommand::of(operation_type).probed_as(), true)
            .await
        else {
            return Ok(true);
        };
        let uptime = self.fineract.uptime().await;
        let open: Vec<_> = history
            .up_for(uptime)
            .honoured_for(trust.honoured_for())
            .open_commands(self.settings().keys_kept_for)
            .into_iter()
            .map(|(sent, is_kept)| (sent.clone(), is_kept))
            .collect();
        for (sent, is_kept) in open {
            // Of what was sent to other books no key is asked: it might be carried out in these.
            if !is_kept || sent.epoch != claimed.epoch {
                return Ok(true);
            }
            match self.meaning_of(claimed, &sent).await? {
                Meaning::Same => self.check_books(claimed).await?,
                Meaning::Gone(_) => return Ok(true),
                Meaning::Another => return Err(number_means_another(claimed)),
            }
            let number = sent.key_number;
            let reply = self
                .fineract
                .send(&sent.request, IdempotencyKey { id, number })
                .await;
            let place = attempts.partition_point(|attempt| attempt.key_number <= number);
            let asked = Attempt {
                number: 0,
                user: None,
                reply: Some(reply),
                age: Duration::ZERO,
                effect_preexisted: false,
                ..sent
            };
            attempts.insert(place, asked);
        }
        Ok(History::new(&attempts).up_for(uptime).may_still_run())
    }
}
