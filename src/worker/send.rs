//! Commits the attempt, then sends its command.

use std::time::{Duration, Instant};

use super::{
    case::Case,
    check_books::check_books,
    deps::Deps,
    outcome::{HANDED_BACK, database_away, postpone},
    prepare::Prepared,
};
use crate::{
    domain::{Attempt, IdempotencyKey, Outcome},
    points::{self, Point},
    store::{Claimed, StartAttempt},
};

/// The longest time from the commit of an attempt until its command is sent. After that, the worker checks again whether
/// the command may be sent, and commits a new attempt.
const SENT_WITHIN: Duration = Duration::from_millis(250);

/// Commits the attempt. `Err`: nothing was committed, because the operation is on hold, has expired or has lost its
/// lease, or because the database is unavailable.
pub(super) async fn commit_attempt(
    deps: &Deps,
    case: Case<'_>,
    Prepared {
        request,
        effect_preexisted,
        seen,
        referents,
    }: Prepared,
) -> Result<StartAttempt, Outcome> {
    let claimed = case.claimed;
    check_books(deps, claimed).await?;
    points::reach(Point::BeforeAttemptCommit, claimed.operation_type);
    let attempt = StartAttempt {
        id: claimed.id,
        number: claimed.attempt,
        key_number: claimed.key_number,
        request,
        effect_preexisted,
        may_have_run: case.history().may_have_run_under(claimed.key_number),
        seen,
        user: deps.fineract.user().to_owned(),
        referents,
        epoch: claimed.epoch,
    };
    match deps.store.start_attempt(attempt.clone()).await {
        Ok(true) => Ok(attempt),
        Ok(false) => Err(not_sent(claimed)),
        Err(error) => Err(database_away(claimed, &error)),
    }
}

/// Sends the command of an attempt that was committed at this time. `Err`: it was not sent, because the lease has expired
/// or the commit is too long ago.
pub(super) async fn send(
    deps: &Deps,
    claimed: &Claimed,
    attempt: StartAttempt,
    committed_at: Instant,
) -> Result<Attempt, Outcome> {
    let has_time_left = deps
        .leases
        .has_time_left(claimed, deps.settings.lease, Duration::ZERO);
    if !has_time_left || committed_at.elapsed() >= SENT_WITHIN {
        return Err(not_sent(claimed));
    }
    let key = IdempotencyKey {
        id: claimed.id,
        number: claimed.key_number,
    };
    points::reach(Point::AfterAttemptCommit, claimed.operation_type);
    let sending = deps.fineract.send(&attempt.request, key);
    let reply = points::on_the_wire(claimed.operation_type, sending).await;
    points::reach(Point::AfterAnswer, claimed.operation_type);
    Ok(Attempt {
        number: attempt.number,
        key_number: attempt.key_number,
        request: attempt.request,
        user: Some(attempt.user),
        reply: Some(reply),
        age: Duration::ZERO,
        effect_preexisted: attempt.effect_preexisted,
        referents: attempt.referents,
        epoch: attempt.epoch,
    })
}

fn not_sent(claimed: &Claimed) -> Outcome {
    tracing::warn!(operation.id = %claimed.id, operation.attempt = claimed.attempt, "the lease has expired, the operation is on hold, or the command has waited too long; the command was not sent");
    // If another worker has claimed the operation, this outcome changes nothing.
    postpone(HANDED_BACK, Duration::ZERO)
}
