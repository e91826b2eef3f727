//! Sending a command: its attempt is committed first.

use std::time::Duration;

use super::{case::Case, conclude::Conclusion, prepare::Prepared, runner::Runner};
use crate::{
    domain::{Attempt, IdempotencyKey},
    points::{self, Point},
    store::StartAttempt,
};

impl Runner {
    /// Commits the attempt, then sends it. `None`: the lease is gone, or too short for a call.
    pub(super) async fn send(
        &self,
        case: Case<'_>,
        Prepared {
            request,
            effect_preexisted,
            seen,
            referents,
        }: Prepared,
    ) -> Result<Option<Attempt>, Conclusion> {
        let claimed = case.claimed;
        self.check_books(claimed).await?;
        points::reach(Point::BeforeAttemptCommit, claimed.operation_type);
        let started = self
            .store
            .start_attempt(StartAttempt {
                id: claimed.id,
                number: claimed.attempt,
                key_number: claimed.key_number,
                request: request.clone(),
                effect_preexisted,
                may_have_run: case.history().may_have_run_under(claimed.key_number),
                seen,
                user: self.fineract.user().to_owned(),
                referents: referents.clone(),
                epoch: claimed.epoch,
            })
            .await
            .map_err(|error| Conclusion::database_away(claimed, &error))?;
        if !started
            || !self
                .leases()
                .has_left(claimed, self.settings().lease, Duration::ZERO)
        {
            return Ok(None);
        }
        let key = IdempotencyKey {
            id: claimed.id,
            number: claimed.key_number,
        };
        points::reach(Point::AfterAttemptCommit, claimed.operation_type);
        let sending = self.fineract.send(&request, key);
        let reply = points::on_the_wire(claimed.operation_type, sending).await;
        points::reach(Point::AfterAnswer, claimed.operation_type);
        Ok(Some(Attempt {
            number: claimed.attempt,
            key_number: claimed.key_number,
            request,
            user: Some(self.fineract.user().to_owned()),
            reply: Some(reply),
            age: Duration::ZERO,
            effect_preexisted,
            referents,
            epoch: claimed.epoch,
        }))
    }
}
