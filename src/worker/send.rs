//! Commits the attempt, then sends its command.

use std::time::Duration;

use super::{
    case::Case,
    check_books::check_books,
    deps::Deps,
    outcome::{database_away, postpone},
    prepare::Prepared,
};
use crate::{
    domain::{Attempt, IdempotencyKey, Outcome},
    points::{self, Point},
    store::StartAttempt,
};

/// Commits the attempt, then sends its command. `Err`: the command was not sent, for example because the operation
/// is on hold or its lease has expired.
pub(super) async fn send(
    deps: &Deps,
    case: Case<'_>,
    Prepared {
        request,
        effect_preexisted,
        seen,
        referents,
    }: Prepared,
) -> Result<Attempt, Outcome> {
    let claimed = case.claimed;
    check_books(deps, claimed).await?;
    points::reach(Point::BeforeAttemptCommit, claimed.operation_type);
    let started = deps
        .store
        .start_attempt(StartAttempt {
            id: claimed.id,
            number: claimed.attempt,
            key_number: claimed.key_number,
            request: request.clone(),
            effect_preexisted,
            may_have_run: case.history().may_have_run_under(claimed.key_number),
            seen,
            user: deps.fineract.user().to_owned(),
            referents: referents.clone(),
            epoch: claimed.epoch,
        })
        .await
        .map_err(|error| database_away(claimed, &error))?;
    if !started
        || !deps
            .leases
            .has_time_left(claimed, deps.settings.lease, Duration::ZERO)
    {
        tracing::warn!(operation.id = %claimed.id, operation.attempt = claimed.attempt, "the lease has expired or the operation is on hold; the command was not sent");
        // If another worker has claimed the operation, this outcome changes nothing.
        return Err(postpone("handed_back", Duration::ZERO));
    }
    let key = IdempotencyKey {
        id: claimed.id,
        number: claimed.key_number,
    };
    points::reach(Point::AfterAttemptCommit, claimed.operation_type);
    let sending = deps.fineract.send(&request, key);
    let reply = points::on_the_wire(claimed.operation_type, sending).await;
    points::reach(Point::AfterAnswer, claimed.operation_type);
    Ok(Attempt {
        number: claimed.attempt,
        key_number: claimed.key_number,
        request,
        user: Some(deps.fineract.user().to_owned()),
        reply: Some(reply),
        age: Duration::ZERO,
        effect_preexisted,
        referents,
        epoch: claimed.epoch,
    })
}
