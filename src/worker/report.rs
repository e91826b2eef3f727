//! What the worker says of its work, in the log and in the metrics.

use super::conclude::Conclusion;
use crate::{
    domain::{Reply, State},
    store::{self, Claimed},
};

/// Says what an attempt came to.
pub(super) fn conclusion(claimed: &Claimed, conclusion: &Conclusion) {
    log(claimed, conclusion);
    count(conclusion);
}

fn count(conclusion: &Conclusion) {
    let result = match &conclusion.reply {
        Some(Reply::Answer(answer)) => answer.status.to_string(),
        Some(Reply::Failure(failure)) => failure.as_str().to_owned(),
        None => "not_sent".to_owned(),
    };
    let (state, _) = conclusion.summary();
    metrics::counter!("gateway_attempts_total", "result" => result, "state" => state).increment(1);
}

/// Counts an end, once it is written.
pub(super) fn end(claimed: &Claimed, state: State) {
    store::count_end(Some(claimed.operation_type), state);
    metrics::histogram!(
        "gateway_operation_seconds",
        "type" => claimed.operation_type.as_str(),
        "state" => state.as_str(),
    )
    .record(claimed.age + claimed.claimed_at.elapsed());
}

fn log(claimed: &Claimed, conclusion: &Conclusion) {
    let (state, reason_code) = conclusion.summary();
    tracing::info!(
        operation.id = %claimed.id,
        operation.type = %claimed.operation_type,
        operation.attempt = claimed.attempt,
        operation.key = claimed.key_number,
        operation.state = state,
        fineract.status = conclusion.status(),
        reason_code,
        duration_ms = u64::try_from(claimed.claimed_at.elapsed().as_millis()).unwrap_or(u64::MAX),
        "attempt concluded"
    );
}
