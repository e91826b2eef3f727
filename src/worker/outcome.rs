//! Builds the outcomes that several steps return.

use std::time::Duration;

use super::{backoff, deps::Deps};
use crate::{
    domain::{Answer, End, Outcome},
    operations::Entry,
    store::{Claimed, StoreError},
    telemetry::chain,
};

/// Tries again later under the same key. There is no time limit, because a person has nothing to decide.
pub(super) fn retry(
    claimed: &Claimed,
    reason_code: &'static str,
    retry_after: Option<Duration>,
) -> Outcome {
    Outcome::Retry {
        delay: backoff::delay(claimed.retrying_for, retry_after),
        new_key: false,
        reason_code,
        counts: Some(false),
    }
}

/// Tries again under the same key, or parks the operation if it has been tried for too long. During an outage the
/// operation is parked only if other operations succeed, because an outage concerns all operations.
pub(super) fn same_key_or_park(
    deps: &Deps,
    claimed: &Claimed,
    reason_code: &'static str,
    outage: bool,
    retry_after: Option<Duration>,
) -> Outcome {
    if outage && !deps.succeeded_within(deps.settings.park_after) {
        retry(claimed, reason_code, retry_after)
    } else {
        retry_or_park(
            deps,
            claimed,
            reason_code,
            backoff::delay(claimed.retrying_for, retry_after),
            false,
        )
    }
}

/// Tries again after `delay`, or parks the operation if it has been tried for too long.
pub(super) fn retry_or_park(
    deps: &Deps,
    claimed: &Claimed,
    reason_code: &'static str,
    delay: Duration,
    new_key: bool,
) -> Outcome {
    if claimed.parkable_for() >= deps.settings.park_after {
        park(reason_code)
    } else {
        Outcome::Retry {
            delay,
            new_key,
            reason_code,
            counts: Some(true),
        }
    }
}

/// Reason code of an operation that this process has claimed and does not run.
pub(super) const HANDED_BACK: &str = "handed_back";

/// Postpones the operation without having tried anything. Any process may claim it next.
pub(super) fn postpone(reason_code: &'static str, delay: Duration) -> Outcome {
    Outcome::Retry {
        delay,
        new_key: false,
        reason_code,
        counts: None,
    }
}

/// Tries again when the database is available. Nothing was sent.
pub(super) fn database_away(claimed: &Claimed, error: &StoreError) -> Outcome {
    tracing::warn!(operation.id = %claimed.id, error = %chain(error), "the database failed before a command was sent; the operation is tried again");
    postpone("database_away", backoff::delay(claimed.retrying_for, None))
}

/// Parks the operation until an operator decides.
pub(super) fn park(reason_code: &'static str) -> Outcome {
    Outcome::Park { reason_code }
}

/// Ends the operation with Fineract's refusal, unchanged.
pub(super) fn refused(answer: &Answer, entry: &Entry) -> Outcome {
    let codes = answer.codes();
    Outcome::End(End::Failed {
        body: Some(answer.body.clone()),
        message: format!("Fineract returned {}", answer.status),
        fails_dependents: (entry.fails_dependents)(&codes),
        code: codes
            .into_iter()
            .next()
            .unwrap_or_else(|| format!("status_{}", answer.status)),
    })
}

/// Ends the operation as failed, for a reason of the gateway and without a body of Fineract.
pub(super) fn refused_unsent(code: &str, message: String, fails_dependents: bool) -> Outcome {
    Outcome::End(End::Failed {
        body: None,
        message,
        code: code.to_owned(),
        fails_dependents,
    })
}
