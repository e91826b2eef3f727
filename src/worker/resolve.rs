//! A person says how an operation ended: it is believed when Fineract agrees, and nothing is sent.

use std::time::Duration;

use serde_json::json;

use super::{
    case::Case,
    checker::audit,
    deps::Deps,
    find::{find, is_forgotten},
    outcome::{park, refused_unsent},
    succeed::succeeded_by,
};
use crate::{
    domain::{
        End, Outcome, Reply, Resolution, ResourceId,
        decision::{Audit, Finding, UNSEEN},
    },
    operations::Evidence,
};

/// The code of a failure that an operator has stated.
const CODE: &str = "resolved_as_failed";

/// Reads Fineract, and ends the operation as the operator says, or parks it again. Where Fineract's
/// books cannot tell, they do not disagree. `Ok`: the command was before a checker, and its key is to be
/// asked what became of it, which executes nothing.
pub(super) async fn resolve(
    deps: &Deps,
    case: Case<'_>,
    resolution: Resolution,
) -> Result<Audit, Outcome> {
    let waits = case.history().awaits_checker();
    let audit = if waits {
        audit(deps, case).await?
    } else {
        Audit::Unseen
    };
    // What is there is nobody's to deny, whatever else may still wait.
    let found = match resolution {
        Resolution::Succeeded => match find(deps, case).await? {
            (_, ours @ Evidence::Ours(_)) => {
                return Err(succeeded_by(deps, case, ours).await);
            }
            found => Some(found),
        },
        Resolution::Failed => None,
    };
    // Of what was sent to other books no key is asked: but a restored Fineract may have it wait once more.
    let is_of_these = !case.is_of_other_books();
    match (audit, resolution) {
        (Audit::Unchecked | Audit::Checked, _) if is_of_these => return Ok(audit),
        (Audit::Unchecked, Resolution::Failed) => {
            return Err(park("awaiting_checker"));
        }
        // In these books Fineract itself has to show it; in others the command may never have been.
        (Audit::Unseen, Resolution::Failed)
            if waits && (is_of_these || !case.claimed.nothing_waits) =>
        {
            return Err(park(UNSEEN));
        }
        (Audit::Unseen, Resolution::Failed) => {
            nothing_is_to_come(deps, case).await?;
        }
        (Audit::Unchecked | Audit::Checked | Audit::Unseen, _) => {}
    }
    let (finding, evidence) = match found {
        Some(found) => found,
        None => find(deps, case).await?,
    };
    Err(match (resolution, finding, evidence) {
        (Resolution::Succeeded, _, Evidence::Changed(body)) => {
            succeeded_by(deps, case, Evidence::Ours(body)).await
        }
        // What came after it, which this database has forgotten as well, may have changed what it left behind.
        (Resolution::Succeeded, finding, _)
            if finding == Finding::CannotTell || is_forgotten(case) =>
        {
            match done(case) {
                Some(body) => Outcome::End(End::Succeeded {
                    body,
                    resource_id: ResourceId::Unchanged,
                }),
                None => park("resolution_disagrees"),
            }
        }
        (Resolution::Failed, Finding::Absent | Finding::CannotTell, _) => {
            let message = "It had no effect in Fineract, as an operator has made sure";
            refused_unsent(CODE, message.to_owned(), fails_dependents(case))
        }
        (Resolution::Failed, Finding::NotOurs, Evidence::NotOurs(message)) => {
            refused_unsent(CODE, message, fails_dependents(case))
        }
        (Resolution::Succeeded | Resolution::Failed, _, _) => park("resolution_disagrees"),
    })
}

/// Makes sure that no command of the operation takes effect after it was looked for in vain: none may
/// wait for a checker, and none was sent a moment ago, also in a time that a restored database has forgotten.
/// `Err`: that is not sure. Of other books' checkers nothing is known but what the operator has seen to before
/// confirming them (`docs/RECOVERY.md`).
async fn nothing_is_to_come(deps: &Deps, case: Case<'_>) -> Result<(), Outcome> {
    let mut forgotten = case.claimed.forgotten_for;
    let may_have_run = case.history().may_have_run() || forgotten.is_some();
    if may_have_run && !case.is_of_other_books() && deps.fineract.may_await_checker() {
        return Err(park("may_await_checker"));
    }
    let mut history = case.history();
    if may_have_run {
        let uptime = deps.fineract.uptime().await;
        history = history.up_for(uptime);
        // Fineract has been started since: nothing of that time runs any more.
        forgotten = forgotten.filter(|since| uptime.is_none_or(|uptime| uptime >= *since));
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

/// What is said of a success that only the operator knows of: the number that the command was sent to, or, where no
/// attempt is known, would be. A create was sent to none, and what it made can be seen.
fn done(case: Case<'_>) -> Option<String> {
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

/// Whether those behind it rest on it, as far as Fineract's last answer tells.
fn fails_dependents(case: Case<'_>) -> bool {
    let reply = case.attempts.last().and_then(|last| last.reply.as_ref());
    let codes = match reply {
        Some(Reply::Answer(answer)) => answer.codes(),
        Some(Reply::Failure(_)) | None => Vec::new(),
    };
    (case.entry.fails_dependents)(&codes)
}
