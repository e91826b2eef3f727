//! The spans of an operation: its wait, and each attempt. Reads and commands are spans within that of the attempt
//! (`fineract/client`).

use super::outcome::HANDED_BACK;
use crate::{
    store::{Claimed, Completion},
    traces::{Span, SpanKind, Trace},
};

/// Begins the span of an attempt. Before the first one, records how long the operation has waited for it.
pub(super) fn begin(claimed: &Claimed) -> Span {
    let trace = Trace {
        operation: claimed.id,
        caller: claimed.trace_parent,
    };
    let operation_type = claimed.operation_type;
    if claimed.attempt == 1 {
        let wait = trace.begin(SpanKind::Internal, format_args!("wait {operation_type}"));
        identify(&mut wait.begun(claimed.age_now(claimed.age)), claimed);
    }
    let mut span = trace.begin_attempt(claimed.attempt, format_args!("attempt {operation_type}"));
    identify(&mut span, claimed);
    span.set("operation.attempt", i64::from(claimed.attempt));
    span.set("operation.key", i64::from(claimed.key_number));
    span
}

fn identify(span: &mut Span, claimed: &Claimed) {
    span.set_text("operation.id", claimed.id);
    span.set("operation.type", claimed.operation_type.as_str());
}

/// Adds what has become of the attempt.
pub(super) fn conclude(span: &mut Span, completion: &Completion) {
    span.set("operation.state", completion.outcome.state().as_str());
    let reason = completion.outcome.reason_code();
    if let Some(reason) = reason.filter(|reason| *reason != HANDED_BACK) {
        span.fail(reason);
    }
}
