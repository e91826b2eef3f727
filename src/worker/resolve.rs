//! Executes an operator's resolution: ends the operation as the operator has stated, if Fineract does not
//! contradict the statement.

use std::time::Duration;

use serde_json::json;

use super::{
    case::Case,
    checker::audit,
    deps::Deps,
    evidence::{find_effect, may_have_forgotten_attempts},
    outcome::{park, refused_unsent},
    succeed::succeeded_by_evidence,
};
use crate::{
    domain::{
        End, Outcome, Reply, Resolution, ResourceId,
        decision::{Audit, Finding, UNSEEN},
    },
    operations::Evidence,
};

/// The code of a failure that an operator has stated.
const RESOLVED_AS_FAILED: &str = "resolved_as_failed";

/// Reads Fineract and ends the operation as the operator has stated, or parks it again. Inconclusive evidence does
/// not contradict the operator. `Ok`: the command was submitted to a checker. Send its key again to learn the
/// result; this executes nothing.
pub(super) async fn resolve(
    deps: &Deps,
    case: Case<'_>,
    resolution: Resolution,
) -> Result<Audit, Outcome> {
    let awaits_checker = case.history().awaits_checker();
    let audit = if awaits_checker {
        audit(deps, case).await?
    } else {
        Audit::Unseen
    };
    // If the operation's effect exists, the operation has succeeded, even if another command still waits for a
    // checker.
    let found = match resolution {
        Resolution::Succeeded => match find_effect(deps, case).await? {
            (_, ours @ Evidence::Ours(_)) => {
                return Err(succeeded_by_evidence(deps, case, ours).await);
            }
            found => Some(found),
        },
        Resolution::Failed => None,
    };
    // Send a key only to the books to which it was sent before. But even other books may show the command as
    // waiting, for example those of a restored Fineract.
    let is_of_these_books = !case.was_sent_to_other_books();
    match (audit, resolution) {
        (Audit::Unchecked | Audit::Checked, _) if is_of_these_books => return Ok(audit),
        (Audit::Unchecked, Resolution::Failed) => {
            return Err(park("awaiting_checker"));
        }
        // In the books to which the command was sent, Fineract must show the command. In other books, the command may
        // never have existed, so the operator may confirm there that nothing waits.
        (Audit::Unseen, Resolution::Failed)
            if awaits_checker && (is_of_these_books || !case.claimed.nothing_waits) =>
        {
            return Err(park(UNSEEN));
        }
        (Audit::Unseen, Resolution::Failed) => {
            require_no_late_effect(deps, case).await?;
        }
        (Audit::Unchecked | Audit::Checked | Audit::Unseen, _) => {}
    }
    let (finding, evidence) = match found {
        Some(found) => found,
        None => find_effect(deps, case).await?,
    };
    Err(match (resolution, finding, evidence) {
        (Resolution::Succeeded, _, Evidence::Changed(body)) => {
            succeeded_by_evidence(deps, case, Evidence::Ours(body)).await
        }
        // This database may also have forgotten later operations that changed the effect.
        (Resolution::Succeeded, finding, _)
            if finding == Finding::CannotTell || may_have_forgotten_attempts(case) =>
        {
            match stated_success(case) {
                Some(body) => Outcome::End(End::Succeeded {
                    body,
                    resource_id: ResourceId::Unchanged,
                }),
                None => park("resolution_disagrees"),
            }
        }
        (Resolution::Failed, Finding::Absent | Finding::CannotTell, _) => {
            let message = "The operation had no effect in Fineract; an operator has verified this";
            refused_unsent(
                RESOLVED_AS_FAILED,
                message.to_owned(),
                fails_dependents(case),
            )
        }
        (Resolution::Failed, Finding::NotOurs, Evidence::NotOurs(message)) => {
            refused_unsent(RESOLVED_AS_FAILED, message, fails_dependents(case))
        }
        (Resolution::Succeeded | Resolution::Failed, _, _) => park("resolution_disagrees"),
    })
}

/// Ensures that no command of the operation takes effect after the evidence was read. No command may wait for a
/// checker. No command may have been sent recently, not even a command that a restored database has forgotten. `Err`:
/// a command may still take effect.
///
/// The gateway knows nothing about the checkers of other books; the operator has dealt with them before
/// confirming the books (`docs/RECOVERY.md`).
async fn require_no_late_effect(deps: &Deps, case: Case<'_>) -> Result<(), Outcome> {
    let mut forgotten = case.claimed.forgotten_for;
    let may_have_run = case.history().may_have_run() || forgotten.is_some();
    if may_have_run && !case.was_sent_to_other_books() && deps.fineract.may_await_checker() {
        return Err(park("may_await_checker"));
    }
    let mut history = case.history();
    if may_have_run {
        let uptime = deps.fineract.uptime().await;
        history = history.up_for(uptime);
        // If Fineract was started after the time that the database has forgotten, no command from that time still
        // runs.
        forgotten = forgotten
            .map(|time| case.claimed.age_now(time))
            .filter(|time| uptime.is_none_or(|uptime| uptime >= *time));
    }
    let age = case.attempts.last().map(|last| last.age);
    let age = age.into_iter().chain(forgotten).min();
    let left = age.map_or(Duration::ZERO, |age| {
        deps.settings.patience.stuck_after.saturating_sub(age)
    });
    if left.is_zero() || !(history.may_still_run() || forgotten.is_some()) {
        return Ok(());
    }
    Err(Outcome::Retry {
        delay: left,
        new_key: false,
        reason_code: "an_attempt_may_still_run",
        counts: Some(true),
    })
}

/// The success body for an effect that only the operator knows of. The body contains the number of the client or loan
/// to which the command was sent. If there was no attempt, the body contains the number of the lane's client or loan.
/// `None` for a create without a number: if the create had succeeded, the evidence would show it.
fn stated_success(case: Case<'_>) -> Option<String> {
    let history = case.history();
    let (loan, client) = match history.request() {
        Some(request) => (request.loan_id(), request.client_id()),
        None if case.claimed.operation_type.is_create() => (None, None),
        None if case.claimed.lane_entries.lane.starts_with("loan:") => {
            (case.claimed.known_id, None)
        }
        None => (None, case.claimed.known_id),
    };
    let body = match (loan, client) {
        (Some(loan), _) => json!({ "loanId": loan, "resourceId": loan }),
        (None, Some(client)) => json!({ "clientId": client, "resourceId": client }),
        (None, None) => return None,
    };
    Some(body.to_string())
}

/// Whether the dependents of the operation fail too, according to Fineract's last answer.
fn fails_dependents(case: Case<'_>) -> bool {
    let reply = case.attempts.last().and_then(|last| last.reply.as_ref());
    let codes = match reply {
        Some(Reply::Answer(answer)) => answer.codes(),
        Some(Reply::Failure(_)) | None => Vec::new(),
    };
    (case.entry.fails_dependents)(&codes)
}
