//! What happened to an operation, in the order in which it happened.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::value::RawValue;

use super::{
    action::in_words,
    format::{Time, duration},
    pretty::{Piece, pretty},
    row::short,
};
use crate::store::{AuditEntry, Inspected, InspectedAttempt};

/// Something that happened.
pub(super) struct Event {
    at: DateTime<Utc>,
    pub(super) time: Time,
    /// How long after the event before it.
    pub(super) after: Option<String>,
    /// The class of its colour.
    pub(super) tone: &'static str,
    pub(super) text: String,
    pub(super) exchange: Option<Exchange>,
}

/// A command and its answer.
pub(super) struct Exchange {
    /// The number of the attempt.
    pub(super) number: i32,
    /// The request line.
    pub(super) line: String,
    pub(super) key: String,
    pub(super) body: Vec<Piece>,
    /// The status of the answer, or why there is none.
    pub(super) outcome: String,
    pub(super) answer: Vec<Piece>,
}

impl Event {
    fn new(at: DateTime<Utc>, zone: Tz, tone: &'static str, text: String) -> Self {
        Self {
            at,
            time: Time::exact(at, zone),
            after: None,
            tone,
            text,
            exchange: None,
        }
    }
}

/// The events of an operation.
pub(super) fn events(inspected: &Inspected, zone: Tz) -> Vec<Event> {
    let operation = &inspected.operation;
    let accepted = format!("Accepted from {}", operation.caller);
    let mut events = vec![Event::new(operation.accepted_at, zone, "tone-ok", accepted)];
    for attempt in &inspected.attempts {
        events.push(sent(attempt, zone));
        events.extend(answered(attempt, zone));
    }
    events.extend(inspected.audit.iter().map(|entry| acted(entry, zone)));
    if let (Some(since), "parked") = (operation.reason_since, operation.state.as_str()) {
        let text = "Parked: nothing is sent until a person decides".to_owned();
        events.push(Event::new(since, zone, "tone-warn", text));
    }
    if let Some(ended_at) = operation.ended_at {
        let tone = if operation.state == "succeeded" {
            "tone-ok"
        } else {
            "tone-bad"
        };
        let text = match operation.state.as_str() {
            "succeeded" => "Succeeded".to_owned(),
            _ if inspected.attempts.is_empty() => "Failed; nothing was sent".to_owned(),
            _ => "Failed".to_owned(),
        };
        events.push(Event::new(ended_at, zone, tone, text));
    }
    // Stable, so events of the same time stay in the order above.
    events.sort_by_key(|event| event.at);
    let times: Vec<_> = events.iter().map(|event| event.at).collect();
    for (event, before) in events.iter_mut().skip(1).zip(times) {
        event.after = Some(duration(event.at - before));
    }
    events
}

fn sent(attempt: &InspectedAttempt, zone: Tz) -> Event {
    let outcome = match (attempt.status, &attempt.error) {
        (Some(status), _) if attempt.cached == Some(true) => {
            format!("{status}, stored under this key before")
        }
        (Some(status), _) => status.to_string(),
        (None, Some(error)) => format!("No answer: {}", why_none(error)),
        (None, None) => "No answer yet, or the process ended before it was stored".to_owned(),
    };
    Event {
        exchange: Some(Exchange {
            number: attempt.number,
            line: format!("{} {}", attempt.method, attempt.path),
            key: attempt.idempotency_key.clone(),
            body: json(attempt.body.as_deref()),
            outcome,
            answer: json(attempt.answer.as_deref()),
        }),
        ..Event::new(
            attempt.sent_at,
            zone,
            "tone-busy",
            format!("Attempt {} sent", attempt.number),
        )
    }
}

fn answered(attempt: &InspectedAttempt, zone: Tz) -> Option<Event> {
    let at = attempt.answered_at?;
    let (tone, text) = match (attempt.status, &attempt.error) {
        (Some(status), _) => {
            let tone = match status {
                200..300 => "tone-ok",
                409 | 425 | 429 => "tone-warn",
                400..500 => "tone-bad",
                _ => "tone-warn",
            };
            let text = format!("Fineract answered {status}{}", meaning(status));
            (tone, text)
        }
        (None, Some(error)) => ("tone-warn", format!("No answer: {}", why_none(error))),
        (None, None) => return None,
    };
    Some(Event::new(at, zone, tone, text))
}

fn acted(entry: &AuditEntry, zone: Tz) -> Event {
    let action = in_words(&entry.action, &entry.detail);
    let mut text = format!("{} {action}", entry.operator);
    if let Some(reason) = entry.reason.as_ref().filter(|_| entry.action != "reveal") {
        text = format!("{text}, because “{reason}”");
    }
    // Later reasons overwrite this one in the operation.
    if let Some(code) = parked_for(entry) {
        text = format!("{text}. It was parked: {}", short(code));
    }
    Event::new(entry.at, zone, "tone-busy", text)
}

/// Why the operation was parked before an action.
fn parked_for(entry: &AuditEntry) -> Option<&str> {
    let before = entry.before.as_ref()?;
    let state = before.get("state")?.as_str()?;
    let code = before.get("reason_code")?.as_str()?;
    (state == "parked").then_some(code)
}

/// What a status of Fineract means for a command.
const fn meaning(status: i16) -> &'static str {
    match status {
        409 => ": it is at this command already",
        425 => ": it still runs this command",
        429 => ": it has too much to do",
        500.. => ": it does not tell whether the command took effect",
        _ => "",
    }
}

fn json(body: Option<&RawValue>) -> Vec<Piece> {
    body.map(|body| pretty(body.get())).unwrap_or_default()
}

/// Why there is no answer, in words.
fn why_none(error: &str) -> &str {
    match error {
        "timed_out" => "Fineract took too long",
        "closed" => "the connection was closed",
        "not_connected" => "no connection, so nothing was sent",
        "not_sent" => "nothing was sent",
        _ => error,
    }
}
