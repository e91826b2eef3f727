//! The retry of one row: whether it is permitted, and the new operation.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    csv_payload::{CsvPayload, merged},
    modifications::{Modification, NewData},
    names,
    request::too_large,
    slips,
};
use crate::{
    domain::{OperationId, RetryEligible},
    http::{access::Caller, body::BODY_LIMIT, envelope, state::ApiState},
    operations::{self, Entry, InvalidPayload, Problem},
    store::{Candidate, NewOperation, RowFailure},
};

/// A row that is not retried, with the reason.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "RowNotTaken")]
pub(super) struct NotTaken {
    /// The number of the row in the batch.
    pub(super) id: i32,
    /// A stable code of the reason.
    code: &'static str,
    /// The reason, as a sentence.
    message: String,
    /// The problems of its data.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

/// A problem of a row's data.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "RowProblem")]
struct FieldError {
    /// Where the problem is, as a JSON pointer.
    pointer: String,
    /// A stable code.
    code: &'static str,
    /// What must be changed.
    message: String,
}

impl NotTaken {
    pub(super) fn new(id: i32, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            id,
            code,
            message: message.into(),
            errors: Vec::new(),
        }
    }

    /// A row whose data has these problems.
    fn invalid(id: i32, problems: Vec<Problem>) -> Self {
        Self::new(
            id,
            "invalid_data",
            "is not valid; errors lists the problems",
        )
        .with(problems)
    }

    /// Adds the problems of the row's fields.
    fn with(self, problems: Vec<Problem>) -> Self {
        let errors = problems.into_iter().map(|problem| FieldError {
            pointer: problem.pointer,
            code: problem.code,
            message: problem.message,
        });
        Self {
            errors: errors.collect(),
            ..self
        }
    }
}

/// The retry that the client requests for one row.
pub(super) struct Wanted {
    /// Whether the request names the row. If not, the request is about all failed rows.
    pub(super) is_named: bool,
    /// The new data, if any.
    pub(super) modification: Option<Modification>,
    /// The time after which the gateway no longer sends the row. A time in the modification takes precedence.
    pub(super) expires_at: Option<DateTime<Utc>>,
    /// Whether the row may name another client or loan than before.
    pub(super) takes_other_ids: bool,
}

/// Checks whether a row with this failure may be retried as requested. The error is a code and a message.
fn check_eligible(failure: &RowFailure, wanted: &Wanted) -> Result<(), (&'static str, String)> {
    if !wanted.is_named && RetryEligible::must_be_named(&failure.code) {
        let message = "was cancelled, or not sent in time: to send it again, name it in records";
        return Err(("needs_naming", message.to_owned()));
    }
    match (failure.retry_eligible, &wanted.modification) {
        (RetryEligible::No, _) => {
            let message = format!(
                "cannot be sent again, because it failed with {}",
                failure.code
            );
            Err(("not_eligible", message))
        }
        (RetryEligible::YesWithModifications, None) => {
            let message = format!("needs other data, because it failed with {}", failure.code);
            Err(("needs_modification", message))
        }
        (RetryEligible::Yes, _) | (RetryEligible::YesWithModifications, Some(_)) => Ok(()),
    }
}

/// Builds the new operation that replaces the failed operation of a row.
pub(super) fn operation_of(
    api: &ApiState,
    caller: &Caller,
    candidate: &Candidate,
    wanted: Wanted,
) -> Result<NewOperation, NotTaken> {
    let refuse = |code, message: String| NotTaken::new(candidate.number, code, message);
    let Some(failure) = &candidate.failure else {
        let (code, message) = if candidate.is_dropped() {
            ("archived", "ended long ago, and its data was dropped")
        } else {
            ("not_failed", "has not failed")
        };
        return Err(refuse(code, message.to_owned()));
    };
    check_eligible(failure, &wanted).map_err(|(code, message)| refuse(code, message))?;
    check_names(candidate, &wanted)?;
    check_size(candidate, &wanted)?;
    let Wanted {
        modification,
        expires_at,
        ..
    } = wanted;
    let own = modification
        .as_ref()
        .and_then(|modification| modification.expires_at);
    let expires_at = own.or(expires_at);
    if expires_at.is_none() && candidate.is_past_expiry {
        let message = "needs a new expires_at, because the previous expires_at has passed";
        return Err(refuse("needs_expires_at", message.to_owned()));
    }
    let named = modification
        .as_ref()
        .and_then(|modification| modification.status.as_deref());
    let entry = entry_of(candidate, named)?;
    let cells = modification.as_ref().and_then(Modification::cells);
    let left_out = cells.map(|cells| slips::left_out(entry, candidate, cells));
    let CsvPayload {
        data: payload,
        mut problems,
    } = match (modification, &candidate.payload) {
        (Some(modification), _) => modification.data.into_payload(entry, &api.deployment),
        (None, Some(_)) if candidate.is_erased => {
            let message = "needs its data, because people's data in it was erased";
            return Err(refuse("erased", message.to_owned()));
        }
        (None, Some(data)) => CsvPayload {
            data: data.clone(),
            problems: Vec::new(),
        },
        (None, None) => return Err(refuse("needs_modification", "needs its data".to_owned())),
    };
    problems.extend(left_out.into_iter().flatten());
    let checked = match (entry.check)(&payload, &api.deployment) {
        Ok(checked) if problems.is_empty() => checked,
        checked => {
            let theirs = checked.err().map(|InvalidPayload { problems }| problems);
            let problems = merged(problems, theirs.unwrap_or_default());
            return Err(NotTaken::invalid(candidate.number, problems));
        }
    };
    caller
        .check_sending(entry.operation_type, &checked)
        .map_err(|not| refuse(not.code(), not.must().to_owned()))?;
    Ok(NewOperation {
        id: OperationId::new(),
        operation_type: entry.operation_type,
        payload,
        checked,
        caller: caller.owner.bulk_client(),
        caller_key: None,
        expires_at: expires_at.or(candidate.expires_at),
        trace_parent: None,
        retry_of: candidate.operation_id,
    })
}

/// The registry entry of the row's type. If the type of the row is unknown, the modification must name a type.
fn entry_of(candidate: &Candidate, named: Option<&str>) -> Result<&'static Entry, NotTaken> {
    let refuse = |code, message: String| NotTaken::new(candidate.number, code, message);
    match (candidate.operation_type, named) {
        (Some(known), Some(named))
            if known.as_str() != named && candidate.operation_id.is_some() =>
        {
            Err(refuse(
                "status_changed",
                format!("is a {known}, and its status cannot be changed"),
            ))
        }
        (_, Some(named)) => envelope::entry_of(named)
            .map_err(|problem| refuse("invalid_status", format!("status {}", problem.message))),
        (Some(known), None) => operations::entry(known).ok_or_else(|| {
            refuse(
                "invalid_status",
                format!("this gateway does not run {known}"),
            )
        }),
        (None, None) => {
            let message = "needs a status beside its data, because it had no known status";
            Err(refuse("invalid_status", message.to_owned()))
        }
    }
}

/// Checks that new data in JSON is no larger than an operation may be. Rows of a table are not larger.
fn check_size(candidate: &Candidate, wanted: &Wanted) -> Result<(), NotTaken> {
    let data = wanted.modification.as_ref().map(|new| &new.data);
    if matches!(data, Some(NewData::Json(data)) if data.get().len() > BODY_LIMIT) {
        return Err(NotTaken::invalid(candidate.number, vec![too_large()]));
    }
    Ok(())
}

/// Checks that a row in the table of a retry names the same client and loan as before.
fn check_names(candidate: &Candidate, wanted: &Wanted) -> Result<(), NotTaken> {
    let Some(cells) = wanted.modification.as_ref().and_then(Modification::cells) else {
        return Ok(());
    };
    let stored = names::stored(candidate);
    let faults = names::faults(&stored, &cells.filled, wanted.takes_other_ids);
    let Some(code) = faults.first().map(|fault| fault.code) else {
        return Ok(());
    };
    let message = if code == names::CHANGED {
        "has cells that a spreadsheet changed; errors lists them"
    } else {
        "names another client or loan than before; errors lists the cells"
    };
    Err(NotTaken::new(candidate.number, code, message).with(faults))
}
