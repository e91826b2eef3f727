//! When something may be wrong with more than one operation.

use super::{
    backoff,
    blocked::Part,
    deps::Deps,
    outcome::{park, retry},
};
use crate::{
    domain::{Outcome, decision::Scope},
    store::Claimed,
};

/// Something may be wrong with more than this operation: with everything, if a probe fails too. If it
/// does not, this operation is parked, once it has been in trouble for a while and is answered so
/// again.
pub(super) async fn suspect(
    deps: &Deps,
    claimed: &Claimed,
    scope: Scope,
    reason_code: &'static str,
    new_key: bool,
) -> Outcome {
    match scope {
        Scope::Deployment => {
            if !deps.fineract.probe().await {
                deps.circuit_breaker.block(reason_code);
                retry(claimed, reason_code, None)
            } else if claimed.reason_code.as_deref() != Some(reason_code)
                || claimed.retrying_for < deps.settings.patience.stuck_after
            {
                // One answer alone may be a connection's, or a node's.
                retry(claimed, reason_code, None)
            } else {
                park(reason_code)
            }
        }
        Scope::Type | Scope::Lender => {
            // What is missing may be there, and the cache old.
            deps.fineract.forget();
            deps.blocked.block(part(claimed, scope), reason_code);
            Outcome::Retry {
                delay: backoff::delay(claimed.retrying_for, None),
                new_key,
                reason_code,
                counts: Some(false),
            }
        }
    }
}

/// Notes that Fineract took a command: what was blocked for its like is so no more.
pub(super) fn note_taken(deps: &Deps, claimed: &Claimed) {
    deps.circuit_breaker.open();
    deps.blocked.open(&Part::Type(claimed.operation_type));
    deps.blocked.open(&part(claimed, Scope::Lender));
}

fn part(claimed: &Claimed, scope: Scope) -> Part {
    match (scope, &claimed.lender) {
        (Scope::Lender, Some(lender)) => Part::Lender(claimed.operation_type, lender.clone()),
        (Scope::Deployment | Scope::Type | Scope::Lender, _) => Part::Type(claimed.operation_type),
    }
}
