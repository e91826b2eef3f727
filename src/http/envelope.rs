//! The body of an operation: `{"status": TYPE, "data": {...}, "expires_at"?: TIME}`.

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use super::api_error::ApiError;
use crate::{
    domain::{Checked, OperationType},
    operations::{self, Deployment, Entries, Entry, InvalidPayload, Problem},
};

/// A valid request to accept an operation.
#[derive(Debug)]
pub(super) struct Submission<'a> {
    /// The operation type, which the body calls `status`.
    pub(super) operation_type: OperationType,
    /// The payload, exactly as the caller sent it.
    pub(super) data: &'a RawValue,
    /// What the check of the payload found, such as the operation's lanes.
    pub(super) checked: Checked,
    /// The time after which the gateway no longer sends the operation.
    pub(super) expires_at: Option<DateTime<Utc>>,
}

/// Reads and checks a body. The error lists all problems of the body. If the operation type is unknown, the fields of
/// `data` are not checked, because they depend on the type.
pub(super) fn read<'a>(
    body: &'a [u8],
    deployment: &Deployment,
) -> Result<Submission<'a>, ApiError> {
    let Entries(entries) = match serde_json::from_slice(body) {
        Ok(entries) => entries,
        Err(error) if error.is_data() => {
            let problem = problem(String::new(), "wrong_type", "must be a JSON object");
            return Err(ApiError::Invalid(vec![problem]));
        }
        Err(error) => return Err(ApiError::BrokenJson(error)),
    };
    let mut problems = unknown_and_repeated(&entries, &["status", "data", "expires_at"]);
    let entry = value("status", &entries, &mut problems)
        .and_then(|status| entry(status).map_err(|problem| problems.push(problem)).ok());
    let data = value("data", &entries, &mut problems);
    let expires_at = expiry(&entries, &mut problems);
    let checked = entry
        .zip(data)
        .map(|(entry, data)| (entry.check)(data, deployment));
    match (entry, data, checked) {
        (Some(entry), Some(data), Some(Ok(checked))) if problems.is_empty() => Ok(Submission {
            operation_type: entry.operation_type,
            data,
            checked,
            expires_at,
        }),
        (_, _, Some(Err(InvalidPayload { problems: theirs }))) => {
            problems.extend(theirs);
            Err(ApiError::Invalid(problems))
        }
        _ => Err(ApiError::Invalid(problems)),
    }
}

/// The value of a required key. A key that is missing or `null` is a problem.
pub(super) fn value<'a>(
    key: &str,
    entries: &[(String, &'a RawValue)],
    problems: &mut Vec<Problem>,
) -> Option<&'a RawValue> {
    let found = optional(key, entries);
    if found.is_none() {
        problems.push(problem(format!("/{key}"), "required", "is required"));
    }
    found
}

/// The value of an optional key. `null` counts as missing.
fn optional<'a>(key: &str, entries: &[(String, &'a RawValue)]) -> Option<&'a RawValue> {
    entries
        .iter()
        .find(|(name, value)| name == key && value.get() != "null")
        .map(|(_, value)| *value)
}

/// The time after which the gateway no longer sends the operation, if the caller gives one.
pub(super) fn expiry(
    entries: &[(String, &RawValue)],
    problems: &mut Vec<Problem>,
) -> Option<DateTime<Utc>> {
    let value = optional("expires_at", entries)?;
    let text: String = serde_json::from_str(value.get()).unwrap_or_default();
    time(&text).map_err(|problem| problems.push(problem)).ok()
}

/// How a time must be written, as a part of error messages.
pub(super) const TIME: &str = "a time with its offset (RFC 3339), such as 2026-01-11T10:00:00Z";

/// Parses a time with its offset. A time in the past is also valid, because a repeated request must get the same answer
/// as the first request.
pub(super) fn time(text: &str) -> Result<DateTime<Utc>, Problem> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .or(Err(problem(
            "/expires_at".to_owned(),
            "invalid_time",
            format!("must be {TIME}"),
        )))
}

/// The registry entry of the type in `status`.
pub(super) fn entry(status: &RawValue) -> Result<&'static Entry, Problem> {
    match serde_json::from_str::<String>(status.get()) {
        Ok(name) => entry_of(&name),
        Err(_) => Err(problem(
            "/status".to_owned(),
            "wrong_type",
            "must be a text",
        )),
    }
}

/// The registry entry of the type with this name.
pub(super) fn entry_of(name: &str) -> Result<&'static Entry, Problem> {
    OperationType::from_name(name)
        .and_then(operations::entry)
        .ok_or_else(|| {
            let known: Vec<_> = operations::REGISTRY
                .iter()
                .map(|entry| entry.operation_type.as_str())
                .collect();
            let message = format!("must be one of {}", known.join(", "));
            problem("/status".to_owned(), "unknown_value", message)
        })
}

/// Returns a problem for each key that is unknown or is listed more than once.
pub(super) fn unknown_and_repeated(
    entries: &[(String, &RawValue)],
    known: &[&str],
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, (key, _)) in entries.iter().enumerate() {
        // RFC 6901 escapes two characters of a key.
        let pointer = || format!("/{}", key.replace('~', "~0").replace('/', "~1"));
        if !known.contains(&key.as_str()) {
            let message = format!(
                "is not a field of a request; the fields are {}",
                known.join(", ")
            );
            problems.push(problem(pointer(), "unknown_field", message));
        } else if entries
            .iter()
            .take(index)
            .any(|(earlier, _)| earlier == key)
        {
            problems.push(problem(
                pointer(),
                "repeated_field",
                "is listed more than once",
            ));
        }
    }
    problems
}

fn problem(pointer: String, code: &'static str, message: impl Into<String>) -> Problem {
    Problem {
        pointer,
        code,
        message: message.into(),
    }
}
