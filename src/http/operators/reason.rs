//! The reason for an action, which every action requires.

use serde::Deserialize;

use crate::http::{api_error::ApiError, json_body::JsonBody};

/// The longest reason, in characters.
const LONGEST_REASON: usize = 1_000;

/// The body of an action that needs nothing but a reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReasonBody {
    #[serde(default)]
    reason: String,
}

/// Reads the body of an action that needs nothing but a reason.
pub(super) fn read_reason(body: &JsonBody) -> Result<String, ApiError> {
    let must = "must have a reason, and nothing else";
    let ReasonBody { reason } = body.read("invalid_action", must)?;
    checked_reason(&reason)
}

/// Checks a reason. It must not be empty.
pub(in crate::http) fn checked_reason(reason: &str) -> Result<String, ApiError> {
    let reason = reason.trim();
    // Postgres has no texts with NUL.
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON || reason.contains('\0') {
        let must =
            "must say in 1 to 1000 characters, without NUL, why you do this; no personal data";
        return Err(ApiError::invalid("/reason", "invalid_reason", must));
    }
    Ok(reason.to_owned())
}
