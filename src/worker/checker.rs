//! Operations that wait for a checker in Fineract (`docs/fineract/checkers.md`).

use std::time::Duration;

use super::{
    backoff,
    case::Case,
    deps::Deps,
    find::{find, reason},
    outcome::{park, refused_unsent, retry, retry_or_park, same_key_or_park},
    succeed::succeeded_by,
};
use crate::{
    domain::{
        Outcome,
        decision::{Audit, Finding, UNSEEN},
    },
    fineract::ReadFailure,
    store::Claimed,
};

/// Why an operation waits whose command Fineract has put before a checker.
const AWAITING: &str = "awaiting_checker";

/// Why a person has to decide whether a command was rejected, or carried out all the same.
const UNTOLD: &str = "evidence_cannot_tell";

/// How long a checker is given before it is looked at again.
const GIVEN: Duration = Duration::from_mins(1);
/// The longest time for which the key of a command that nobody has checked is not asked.
const LONGEST_UNASKED: Duration = Duration::from_hours(1);

/// Whether an operator has it run on: its trouble is forgotten then, and no claim of it was lost since.
fn is_retried(case: Case<'_>) -> bool {
    let claimed = case.claimed;
    claimed.reason_code.is_none() && claimed.lost == 0 && claimed.deaths == 0
}

/// Ends it as a checker has: without an effect, unless that is there all the same. Fineract may have died between
/// an approval and its note of it, and who is asked once more then rejects what has been done.
pub(super) async fn rejected(deps: &Deps, case: Case<'_>) -> Outcome {
    match find(deps, case).await {
        Ok((Finding::Ours, evidence)) => succeeded_by(deps, case, evidence).await,
        Ok((Finding::CannotTell, evidence)) => park(reason(UNTOLD, &evidence)),
        Ok((Finding::NotOurs | Finding::Absent, _)) => refused_unsent(
            "rejected_by_checker",
            "A checker in Fineract rejected the command".to_owned(),
            (case.entry.fails_dependents)(&[]),
        ),
        Err(outcome) => outcome,
    }
}

/// Sees what the checker has done. `Ok`: the key is to be asked, which executes nothing; where nothing
/// can be seen, only for an operator, since a command that was deleted is put up again by it.
pub(super) async fn ask_checker(deps: &Deps, case: Case<'_>) -> Result<Audit, Outcome> {
    match audit(deps, case).await? {
        Audit::Checked => Ok(Audit::Checked),
        Audit::Unchecked if is_to_be_asked(deps, case) => Ok(Audit::Unchecked),
        Audit::Unchecked => Err(await_checker(deps, case.claimed)),
        Audit::Unseen if is_retried(case) => Ok(Audit::Unseen),
        Audit::Unseen => Err(unseen(deps, case).await),
    }
}

/// What Fineract shows of the command that waits. `Err`: Fineract does not answer.
pub(super) async fn audit(deps: &Deps, case: Case<'_>) -> Result<Audit, Outcome> {
    deps.fineract.note_checker();
    let history = case.history();
    let number = case.attempts.last().map(|last| last.key_number);
    let command = history
        .pending_command()
        // Another key would put up another command.
        .filter(|_| number == Some(case.claimed.key_number));
    let Some(command) = command else {
        return Ok(Audit::Unseen);
    };
    match deps.fineract.audited(command).await {
        Ok(audited) => Ok(history.audit(&audited, &case.users(deps))),
        Err(ReadFailure::Refused(_) | ReadFailure::Unreadable(_) | ReadFailure::Missing(_)) => {
            Ok(Audit::Unseen)
        }
        Err(ReadFailure::NoAnswer(_)) => Err(same_key_or_park(
            deps,
            case.claimed,
            "evidence_unread",
            true,
            None,
        )),
    }
}

/// Whether the key of a command that nobody has checked is to be asked: an approval that Fineract refused
/// leaves it so. Ever more seldom, for each asking keeps Fineract busy for three seconds.
fn is_to_be_asked(deps: &Deps, case: Case<'_>) -> bool {
    let waiting = case.history().waiting_for_checker();
    waiting.is_some_and(|(put_up, asked)| {
        asked >= (put_up / 2).clamp(checkers_time(deps), LONGEST_UNASKED)
    })
}

/// Nobody can see whether it still waits, and its key must not be asked: what is there decides, or at
/// last a person.
async fn unseen(deps: &Deps, case: Case<'_>) -> Outcome {
    match find(deps, case).await {
        Ok((Finding::Ours, evidence)) => succeeded_by(deps, case, evidence).await,
        Ok((Finding::NotOurs | Finding::Absent | Finding::CannotTell, _)) => {
            let claimed = case.claimed;
            let delay = backoff::delay(claimed.retrying_for, Some(checkers_time(deps)));
            retry_or_park(deps, claimed, UNSEEN, delay, false)
        }
        Err(outcome) => outcome,
    }
}

/// Waits for the checker, however long that takes.
pub(super) fn await_checker(deps: &Deps, claimed: &Claimed) -> Outcome {
    deps.fineract.note_checker();
    retry(claimed, AWAITING, Some(checkers_time(deps)))
}

/// How long a checker is given.
fn checkers_time(deps: &Deps) -> Duration {
    deps.settings.left_alone(GIVEN)
}
