//! The errors that a sabotaged worker makes with keys and addresses.

use super::prepare::Prepared;
use crate::{
    domain::{Failure, Outcome, Reply, Request},
    sabotage::{self, Sabotage},
    store::{Claimed, Completion},
};

/// Takes a new key where the same key must be used.
pub(super) fn with_new_key(mut completion: Completion) -> Completion {
    let is_wanted = match &completion.reply {
        Some(Reply::Failure(Failure::TimedOut | Failure::Closed)) => {
            sabotage::is(Sabotage::NewKeyAfterUnknown)
        }
        Some(Reply::Answer(answer)) if answer.status == 409 && answer.cached => {
            sabotage::is(Sabotage::NewKeyOnCached409)
        }
        Some(Reply::Answer(_) | Reply::Failure(Failure::NotSent | Failure::NotConnected))
        | None => false,
    };
    if let (true, Outcome::Retry { new_key, .. }) = (is_wanted, &mut completion.outcome) {
        *new_key = true;
    }
    completion
}

/// Turns `/loans/7?command=approve` into `/loans/external-id/LOAN-1?command=approve`.
pub(super) fn by_external_id(prepared: Prepared, claimed: &Claimed) -> Prepared {
    if !sabotage::is(Sabotage::HistoryByExternalId) {
        return prepared;
    }
    let request = &prepared.request;
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let numbered = path
        .rsplit_once('/')
        .filter(|(_, id)| id.parse::<i64>().is_ok());
    let (Some((kind, _)), Some((_, external_id))) =
        (numbered, claimed.lane_entries.lane.split_once(':'))
    else {
        return prepared;
    };
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{query}")
    };
    Prepared {
        request: Request {
            path: format!("{kind}/external-id/{external_id}{query}"),
            ..request.clone()
        },
        ..prepared
    }
}
