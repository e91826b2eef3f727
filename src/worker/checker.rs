//! Waits for a checker in Fineract to approve or reject a command (`docs/fineract/checkers.md`).

use std::time::Duration;

use super::{
    backoff,
    case::Case,
    deps::Deps,
    evidence::{find_effect, park_reason},
    outcome::{park, refused_unsent, retry, retry_or_park, same_key_or_park},
    succeed::succeeded_by_evidence,
};
use crate::{
    domain::{
        Outcome,
        decision::{Audit, Finding, UNSEEN},
    },
    fineract::ReadFailure,
    store::Claimed,
};

/// Reason code of an operation whose command waits for a checker.
const AWAITING: &str = "awaiting_checker";

/// Reason code if the evidence does not show whether Fineract executed a rejected command nevertheless.
const CANNOT_TELL: &str = "evidence_cannot_tell";

/// How often the gateway looks whether a checker has acted.
const RECHECK_AFTER: Duration = Duration::from_mins(1);
/// The longest time between two sends of the key of an unchecked command.
const LONGEST_KEY_PAUSE: Duration = Duration::from_hours(1);

/// Reads in Fineract what the checker has done. `Ok`: send the key again. While Fineract shows the command, sending
/// its key executes nothing. If Fineract does not show the command, the gateway sends the key only after an operator's
/// retry. The reason: if the command was deleted in Fineract, sending its key would submit the command to a checker
/// again.
pub(super) async fn ask_checker(deps: &Deps, case: Case<'_>) -> Result<Audit, Outcome> {
    match audit(deps, case).await? {
        Audit::Checked => Ok(Audit::Checked),
        Audit::Unchecked if is_key_due(deps, case) => Ok(Audit::Unchecked),
        Audit::Unchecked => Err(await_checker(deps, case.claimed)),
        Audit::Unseen if is_retried_by_operator(case) => Ok(Audit::Unseen),
        Audit::Unseen => Err(await_unseen_checker(deps, case).await),
    }
}

/// Waits for the checker without a time limit.
pub(super) fn await_checker(deps: &Deps, claimed: &Claimed) -> Outcome {
    deps.fineract.note_checker();
    retry(claimed, AWAITING, Some(recheck_interval(deps)))
}

/// Ends an operation that a checker has rejected, unless its effect exists. Fineract may crash after it has
/// executed an approved command and before it has recorded the approval; another checker can then reject the
/// command.
pub(super) async fn rejected(deps: &Deps, case: Case<'_>) -> Outcome {
    match find_effect(deps, case).await {
        Ok((Finding::Ours, evidence)) => succeeded_by_evidence(deps, case, evidence).await,
        Ok((Finding::CannotTell, evidence)) => park(park_reason(CANNOT_TELL, &evidence)),
        Ok((Finding::NotOurs | Finding::Absent, _)) => refused_unsent(
            "rejected_by_checker",
            "A checker in Fineract rejected the command".to_owned(),
            (case.entry.fails_dependents)(&[]),
        ),
        Err(outcome) => outcome,
    }
}

/// What Fineract shows of the waiting command. `Err`: Fineract does not answer.
pub(super) async fn audit(deps: &Deps, case: Case<'_>) -> Result<Audit, Outcome> {
    deps.fineract.note_checker();
    let history = case.history();
    let number = case.attempts.last().map(|last| last.key_number);
    let command = history
        .pending_command()
        // If the operation has received a new key since then, sending the new key would submit another command.
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

/// Whether the key of an unchecked command is due to be sent again. If Fineract fails to execute an approved
/// command, the command remains unchecked, and only the answer to its key shows the failure. The pauses grow,
/// because each send occupies Fineract for three seconds.
fn is_key_due(deps: &Deps, case: Case<'_>) -> bool {
    let waiting = case.history().waiting_for_checker();
    waiting.is_some_and(|(waiting_for, key_sent_before)| {
        key_sent_before >= (waiting_for / 2).clamp(recheck_interval(deps), LONGEST_KEY_PAUSE)
    })
}

/// Delays an operation whose command Fineract does not show. The command may still wait for its checker, so its key
/// must not be sent. If the evidence shows the effect, the operation succeeds. Otherwise the operation waits, and is
/// finally parked for an operator.
async fn await_unseen_checker(deps: &Deps, case: Case<'_>) -> Outcome {
    match find_effect(deps, case).await {
        Ok((Finding::Ours, evidence)) => succeeded_by_evidence(deps, case, evidence).await,
        Ok((Finding::NotOurs | Finding::Absent | Finding::CannotTell, _)) => {
            let claimed = case.claimed;
            let delay = backoff::delay(claimed.retrying_for, Some(recheck_interval(deps)));
            retry_or_park(deps, claimed, UNSEEN, delay, false)
        }
        Err(outcome) => outcome,
    }
}

/// How often the gateway looks whether a checker has acted.
fn recheck_interval(deps: &Deps) -> Duration {
    deps.settings.recheck_interval(RECHECK_AFTER)
}

/// Whether an operator has requested a retry and no claim was lost since then. An operator's retry clears the
/// reason code.
fn is_retried_by_operator(case: Case<'_>) -> bool {
    let claimed = case.claimed;
    claimed.reason_code.is_none() && claimed.lost == 0 && claimed.deaths == 0
}
