//! Reacts to answers that may concern more than one operation.

use super::{
    backoff,
    blocked::BlockedScope,
    deps::Deps,
    outcome::{park, retry},
};
use crate::{
    domain::{Outcome, decision::Scope},
    store::Claimed,
};

/// Reacts to an answer that may concern all operations of a scope. If the scope is a type or a lender, it is blocked.
///
/// If the scope is the deployment, a probe decides. If the probe fails too, the circuit breaker opens. If the probe
/// succeeds, the operation is retried. If the operation still receives the same answer after `stuck_after`, it is
/// parked.
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
                deps.circuit_breaker.open(reason_code);
                retry(claimed, reason_code, None)
            } else if claimed.reason_code.as_deref() != Some(reason_code)
                || claimed.retrying_for < deps.settings.patience.stuck_after
            {
                // Retry first: a single answer may come from one bad connection or one bad node.
                retry(claimed, reason_code, None)
            } else {
                park(reason_code)
            }
        }
        Scope::Type | Scope::Lender => {
            // The missing object may exist by now, so discard the cached one.
            deps.fineract.forget();
            deps.blocked
                .block(blocked_scope(claimed, scope), reason_code);
            Outcome::Retry {
                delay: backoff::delay(claimed.retrying_for, None),
                new_key,
                reason_code,
                counts: Some(false),
            }
        }
    }
}

/// Notes that Fineract accepted a command: closes the circuit breaker and unblocks the scopes of this
/// operation.
pub(super) fn note_accepted(deps: &Deps, claimed: &Claimed) {
    deps.circuit_breaker.close();
    deps.blocked
        .unblock(&BlockedScope::Type(claimed.operation_type));
    deps.blocked.unblock(&blocked_scope(claimed, Scope::Lender));
}

fn blocked_scope(claimed: &Claimed, scope: Scope) -> BlockedScope {
    match (scope, &claimed.lender) {
        (Scope::Lender, Some(lender)) => {
            BlockedScope::Lender(claimed.operation_type, lender.clone())
        }
        (Scope::Deployment | Scope::Type | Scope::Lender, _) => {
            BlockedScope::Type(claimed.operation_type)
        }
    }
}
