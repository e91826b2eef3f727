//! Commands of earlier operations that may be executed late.

use std::time::Duration;

use super::{
    check_books::check_books,
    deps::Deps,
    look_up::number_means_another,
    outcome::{database_away, passed_over, same_key_or_park},
    referents::{Meaning, meaning_of},
    require_keys::trust,
};
use crate::{
    domain::{
        Attempt, FineractCommand, IdempotencyKey, OperationId, OperationType, Outcome,
        decision::History,
    },
    store::Claimed,
};

/// Waits until no earlier operation of that type in the lane has a command left, under an older key,
/// that could be executed late: while what the second brought about stands, Fineract refuses it, and
/// keeps that refusal under the key. Only then may that be taken away.
pub(super) async fn wait_for_late_commands(
    deps: &Deps,
    claimed: &Claimed,
    reopened: OperationType,
) -> Result<(), Outcome> {
    let away = |error| database_away(claimed, &error);
    if deps.store.is_on_hold(claimed.id).await.map_err(away)? {
        return Err(passed_over("on_hold", Duration::ZERO));
    }
    let rekeyed = deps.store.rekeyed_before(claimed, reopened).await;
    for earlier in rekeyed.map_err(away)? {
        let attempts = deps.store.attempts(earlier).await.map_err(away)?;
        if may_come_late(deps, claimed, (earlier, reopened), attempts).await? {
            return Err(same_key_or_park(
                deps,
                claimed,
                "an_attempt_may_still_run",
                false,
                None,
            ));
        }
    }
    Ok(())
}

/// Whether a command of an operation that has ended may still be executed. Its keys are asked: what
/// has been executed, or refused, by now is answered from Fineract's books.
async fn may_come_late(
    deps: &Deps,
    claimed: &Claimed,
    (id, operation_type): (OperationId, OperationType),
    mut attempts: Vec<Attempt>,
) -> Result<bool, Outcome> {
    // What was sent to other books comes in none of these, but what a checker may have before him once more.
    if !History::new(&attempts).has_awaited_checker() {
        attempts.retain(|attempt| attempt.epoch == claimed.epoch);
    }
    let history = History::new(&attempts);
    if !history.may_still_run() {
        return Ok(false);
    }
    // A key that is not honoured is not asked: the command would run.
    let Ok(trust) = trust(deps, FineractCommand::of(operation_type).probed_as(), true).await else {
        return Ok(true);
    };
    let uptime = deps.fineract.uptime().await;
    let open: Vec<_> = history
        .up_for(uptime)
        .honoured_for(trust.honoured_for())
        .open_commands(deps.settings.keys_kept_for)
        .into_iter()
        .map(|(sent, is_kept)| (sent.clone(), is_kept))
        .collect();
    for (sent, is_kept) in open {
        // Of what was sent to other books no key is asked: it might be carried out in these.
        if !is_kept || sent.epoch != claimed.epoch {
            return Ok(true);
        }
        match meaning_of(deps, claimed, &sent).await? {
            Meaning::Same => check_books(deps, claimed).await?,
            Meaning::Gone(_) => return Ok(true),
            Meaning::Another => return Err(number_means_another(claimed)),
        }
        let number = sent.key_number;
        let reply = deps
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
