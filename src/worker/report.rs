//! Logs and counts the outcomes of attempts and the ends of operations.

use crate::{
    domain::{Reply, State},
    store::{self, Claimed, Completion},
};

/// Logs and counts the outcome of an attempt.
pub(super) fn completion(claimed: &Claimed, completion: &Completion) {
    let state = completion.outcome.state().as_str();
    let result = match &completion.reply {
        Some(Reply::Answer(answer)) => answer.status.to_string(),
        Some(Reply::Failure(failure)) => failure.as_str().to_owned(),
        None => "not_sent".to_owned(),
    };
    metrics::counter!("gateway_attempts_total", "result" => result, "state" => state).increment(1);
    let status = match &completion.reply {
        Some(Reply::Answer(answer)) => Some(answer.status),
        Some(Reply::Failure(_)) | None => None,
    };
    tracing::info!(
        operation.id = %claimed.id,
        operation.type = %claimed.operation_type,
        operation.attempt = claimed.attempt,
        operation.key = claimed.key_number,
        operation.state = state,
        fineract.status = status,
        reason_code = completion.outcome.reason_code(),
        duration_ms = u64::try_from(claimed.claimed_at.elapsed().as_millis()).unwrap_or(u64::MAX),
        "attempt concluded"
    );
}

/// Counts the end of an operation once it is committed.
pub(super) fn end(claimed: &Claimed, state: State) {
    store::count_end(Some(claimed.operation_type), state);
    metrics::histogram!(
        "gateway_operation_seconds",
        "type" => claimed.operation_type.as_str(),
        "state" => state.as_str(),
    )
    .record(claimed.age_now(claimed.age));
}
