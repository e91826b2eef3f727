//! Waits until Fineract can no longer execute commands of earlier operations late.

use std::time::Duration;

use super::{
    check_books::check_books,
    deps::Deps,
    look_up::number_means_another,
    outcome::{database_away, postpone, same_key_or_park},
    referents::{ReferentCheck, check_referents},
    require_keys::key_trust,
};
use crate::{
    domain::{
        Attempt, FineractCommand, IdempotencyKey, OperationId, OperationType, Outcome,
        decision::History,
    },
    store::Claimed,
};

/// Ensures that no command of an earlier operation can still take effect. The earlier operations are those of type
/// `reopened_type` in the lane that sent their command under more than one key. `Err`: the operation has to wait.
///
/// An earlier operation sent its command a first time, and then a second time under a new key. As long as the effect
/// of the second command exists, Fineract refuses the first command and stores the refusal under the first key. The
/// operation that waits here removes this effect, and with the effect the protection. For example, after an approval
/// is undone, a delayed first command could approve the loan again.
pub(super) async fn wait_for_late_commands(
    deps: &Deps,
    claimed: &Claimed,
    reopened_type: OperationType,
) -> Result<(), Outcome> {
    let away = |error| database_away(claimed, &error);
    if deps.store.is_on_hold(claimed.id).await.map_err(away)? {
        return Err(postpone("on_hold", Duration::ZERO));
    }
    let rekeyed = deps.store.rekeyed_before(claimed, reopened_type).await;
    for earlier in rekeyed.map_err(away)? {
        let attempts = deps.store.attempts(earlier).await.map_err(away)?;
        if may_still_take_effect(deps, claimed, (earlier, reopened_type), attempts).await? {
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

/// Whether a command of an ended operation may still take effect. To find out, the gateway sends the keys of that
/// operation again: if Fineract has executed or refused a command, Fineract returns the stored answer.
async fn may_still_take_effect(
    deps: &Deps,
    claimed: &Claimed,
    (id, operation_type): (OperationId, OperationType),
    mut attempts: Vec<Attempt>,
) -> Result<bool, Outcome> {
    // A command that was sent to other books cannot take effect in the current books. Exception: after a restore, a
    // checker may see the command again.
    if !History::new(&attempts).has_awaited_checker() {
        attempts.retain(|attempt| attempt.epoch == claimed.epoch);
    }
    let history = History::new(&attempts);
    if !history.may_still_run() {
        return Ok(false);
    }
    // If keys are not honoured, do not send a key again: Fineract would execute the command.
    let Ok(trust) = key_trust(deps, FineractCommand::of(operation_type).probed_as(), true).await
    else {
        return Ok(true);
    };
    let uptime = deps.fineract.uptime().await;
    let open: Vec<_> = history
        .up_for(uptime)
        .honoured_for(trust.honoured_at(claimed.claimed_at))
        .open_commands(deps.settings.keys_kept_for)
        .into_iter()
        .map(|(sent, is_kept)| (sent.clone(), is_kept))
        .collect();
    for (sent, is_kept) in open {
        // If a key was sent to other books, do not send it again: Fineract might execute the command in the current
        // books.
        if !is_kept || sent.epoch != claimed.epoch {
            return Ok(true);
        }
        match check_referents(deps, claimed, &sent).await? {
            ReferentCheck::Same => check_books(deps, claimed).await?,
            ReferentCheck::Gone(_) => return Ok(true),
            ReferentCheck::Different => return Err(number_means_another(claimed)),
        }
        let number = sent.key_number;
        let reply = deps
            .fineract
            .send(&sent.request, IdempotencyKey { id, number })
            .await;
        let index = attempts.partition_point(|attempt| attempt.key_number <= number);
        let answered = Attempt {
            number: 0,
            user: None,
            reply: Some(reply),
            age: Duration::ZERO,
            effect_preexisted: false,
            ..sent
        };
        attempts.insert(index, answered);
    }
    Ok(History::new(&attempts).up_for(uptime).may_still_run())
}
