//! Where an operation is, why, and what a person can do about it, in sentences.

use super::reasons::reason;
use crate::store::Inspected;

/// What a person can do when the gateway has tried for long enough, although at first it needs no person.
const GAVE_UP: &str = "The gateway has tried for long enough and stopped. Look in Fineract, and for a payment at the bank, whether the \
                       command took effect, and say so here. Or remove the cause, and let it try again.";

/// An explanation.
pub(super) struct Explanation {
    /// The class of its colour.
    pub(super) tone: &'static str,
    /// The main sentence.
    pub(super) what: String,
    /// Why.
    pub(super) why: String,
    /// What a person can do.
    pub(super) advice: &'static str,
}

/// Explains an operation.
pub(super) fn explain(inspected: &Inspected) -> Explanation {
    let operation = &inspected.operation;
    let result = operation.result.as_ref();
    let code = operation.reason_code.as_deref();
    let code = code.or_else(|| result.and_then(|result| result.code.as_deref()));
    let known = code.and_then(reason);
    let why = match (known, code) {
        (Some(known), _) => known.why.to_owned(),
        (None, Some(code)) if operation.ended_at.is_none() => format!("The reason is {code}."),
        (None, _) => String::new(),
    };
    let message = result.and_then(|result| result.error_message.as_deref());
    let why = message.map_or_else(|| why.clone(), |message| format!("{message} {why}"));
    let (tone, what, default) = place(inspected, code.is_some());
    let advice = match known.map_or("", |known| known.advice) {
        "" => default,
        advice if operation.state == "parked" && advice.starts_with("Nothing") => GAVE_UP,
        advice => advice,
    };
    Explanation {
        tone,
        what,
        why: why.trim_end().to_owned(),
        advice,
    }
}

/// The colour, the main sentence, and what a person can do if the reason does not tell.
fn place(inspected: &Inspected, has_reason: bool) -> (&'static str, String, &'static str) {
    const RETRY: &str =
        "Correct the cause, then run it again: that is a new operation with the same payload.";
    let operation = &inspected.operation;
    let (tone, what, advice) = match operation.state.as_str() {
        "parked" => ("tone-warn", "A person has to decide.", ""),
        "succeeded" => ("tone-ok", "Fineract has executed it.", ""),
        "failed" if inspected.attempts.is_empty() => (
            "tone-bad",
            "It failed before a command was sent to Fineract.",
            RETRY,
        ),
        "failed" => (
            "tone-bad",
            "It failed, and has no effect in Fineract.",
            RETRY,
        ),
        _ if operation.on_hold => {
            let advice = "Release it when it may be sent.";
            return ("tone-warn", hold(inspected), advice);
        }
        "running" => ("tone-busy", "A worker is on it now.", ""),
        "waiting" => {
            let advice = "Nothing: it runs when the operations before it have ended.";
            return ("tone-busy", waiting(inspected.waits_for.len()), advice);
        }
        _ if has_reason => (
            "tone-warn",
            "It has not ended, and is tried again by itself.",
            "",
        ),
        _ => ("tone-busy", "It runs as soon as a worker is free.", ""),
    };
    (tone, what.to_owned(), advice)
}

fn hold(inspected: &Inspected) -> String {
    if let Some(hold) = &inspected.operation.hold_all {
        return format!("{} put everything on hold: {}", hold.by, hold.reason);
    }
    let what = "It is not sent until an operator releases it.";
    let mut acts = inspected.audit.iter().rev();
    let Some(held) = acts.find(|entry| entry.action == "hold") else {
        return what.to_owned();
    };
    match &held.reason {
        Some(reason) => format!("{what} {} put it on hold: {reason}", held.operator),
        None => format!("{what} {} put it on hold.", held.operator),
    }
}

fn waiting(count: usize) -> String {
    match count {
        0 => "It waits for an operation before it.".to_owned(),
        1 => "One operation of the same client or loan must end first.".to_owned(),
        _ => format!("{count} operations of the same client or loan must end first."),
    }
}
