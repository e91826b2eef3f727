//! What a body of operate says: `{"status": TYPE, "data": {...}, "expires_at"?: TIME}`.

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use super::api_error::ApiError;
use crate::{
    domain::{Checked, OperationType},
    operations::{self, Deployment, Entries, Entry, InvalidPayload, Problem},
};

/// A request that may be accepted.
#[derive(Debug)]
pub(super) struct Submission<'a> {
    /// The type that `status` names.
    pub(super) operation_type: OperationType,
    /// `data`, as it was written.
    pub(super) data: &'a RawValue,
    /// What the check says of `data`.
    pub(super) checked: Checked,
    /// Until when it may be sent.
    pub(super) expires_at: Option<DateTime<Utc>>,
}

/// Reads and checks a body. All of its problems are reported at once, as far as they can be told: the
/// fields of `data` depend on the type.
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

/// The value of a key; notes when it is missing, for which `null` counts.
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

/// The value of a key that may be missing or `null`.
fn optional<'a>(key: &str, entries: &[(String, &'a RawValue)]) -> Option<&'a RawValue> {
    entries
        .iter()
        .find(|(name, value)| name == key && value.get() != "null")
        .map(|(_, value)| *value)
}

/// Until when the operation may be sent, if its caller says so.
pub(super) fn expiry(
    entries: &[(String, &RawValue)],
    problems: &mut Vec<Problem>,
) -> Option<DateTime<Utc>> {
    let value = optional("expires_at", entries)?;
    let text: String = serde_json::from_str(value.get()).unwrap_or_default();
    time(&text).map_err(|problem| problems.push(problem)).ok()
}

/// What a time has to be.
pub(super) const TIME: &str = "a time with its offset (RFC 3339), such as 2026-01-11T10:00:00Z";

/// A moment, with its offset. One that has passed is taken too: a request that is sent again must be
/// answered as it was.
pub(super) fn time(text: &str) -> Result<DateTime<Utc>, Problem> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .or(Err(problem(
            "/expires_at".to_owned(),
            "invalid_time",
            format!("must be {TIME}"),
        )))
}

/// The entry of the type that `status` names.
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

/// The entry of the type of that name.
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

/// What is wrong with the keys of a request that knows these.
pub(super) fn unknown_and_repeated(
    entries: &[(String, &RawValue)],
    known: &[&str],
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, (key, _)) in entries.iter().enumerate() {
        // RFC 6901 escapes two characters of a key.
        let pointer = || format!("/{}", key.replace('~', "~0").replace('/', "~1"));
        if !known.contains(&key.as_str()) {
            let message = format!("is no field of a request; it has {}", known.join(", "));
            problems.push(problem(pointer(), "unknown_field", message));
        } else if entries
            .iter()
            .take(index)
            .any(|(earlier, _)| earlier == key)
        {
            problems.push(problem(
                pointer(),
                "repeated_field",
                "stands here more than once",
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
