//! When something may be wrong with more than one operation.

use super::{backoff, blocked::Part, conclude::Conclusion, runner::Runner};
use crate::{
    domain::decision::Scope,
    store::{Claimed, Verdict},
};

impl Runner {
    /// Something may be wrong with more than this operation: with everything, if a probe fails too. If it
    /// does not, this operation is parked, once it has been in trouble for a while and is answered so
    /// again.
    pub(super) async fn suspect(
        &self,
        claimed: &Claimed,
        scope: Scope,
        reason_code: &'static str,
        new_key: bool,
    ) -> Conclusion {
        match scope {
            Scope::Deployment => {
                if !self.fineract.probe().await {
                    self.circuit_breaker().block(reason_code);
                    Conclusion::again(claimed, reason_code, None)
                } else if claimed.reason_code.as_deref() != Some(reason_code)
                    || claimed.retrying_for < self.settings().patience.stuck_after
                {
                    // One answer alone may be a connection's, or a node's.
                    Conclusion::again(claimed, reason_code, None)
                } else {
                    Conclusion::park(reason_code)
                }
            }
            Scope::Type | Scope::Lender => {
                // What is missing may be there, and the cache old.
                self.fineract.forget();
                self.blocked.block(part(claimed, scope), reason_code);
                Conclusion::unsent(Verdict::Again {
                    delay: backoff::delay(claimed.retrying_for, None),
                    new_key,
                    reason_code,
                    counts: Some(false),
                })
            }
        }
    }

    /// Notes that Fineract took a command: what was blocked for its like is so no more.
    pub(super) fn note_taken(&self, claimed: &Claimed) {
        self.circuit_breaker().open();
        self.blocked.open(&Part::Type(claimed.operation_type));
        self.blocked.open(&part(claimed, Scope::Lender));
    }
}

fn part(claimed: &Claimed, scope: Scope) -> Part {
    match (scope, &claimed.lender) {
        (Scope::Lender, Some(lender)) => Part::Lender(claimed.operation_type, lender.clone()),
        (Scope::Deployment | Scope::Type | Scope::Lender, _) => Part::Type(claimed.operation_type),
    }
}
