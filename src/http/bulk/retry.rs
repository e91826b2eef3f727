//! `POST /bulk/retry`: sends failed rows again, as new operations in their place.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    Json,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    clients::BulkClient,
    envelope::BatchBody,
    error::BulkError,
    modifications::{Modification, RetryRequest},
    schedule::{body_of, read_batch},
    upload::{self, Format},
};
use crate::{
    domain::{OperationId, RetryEligible},
    http::{ApiState, envelope, error::ApiError},
    operations::{self, InvalidPayload},
    store::{Candidate, NewOperation, Retry, RowFailure},
};

/// What was taken, what was not, and why.
#[derive(Debug, Serialize)]
pub(super) struct RetryBody {
    #[serde(flatten)]
    batch: BatchBody,
    taken: BTreeSet<i32>,
    not_taken: Vec<NotTaken>,
}

/// A row that is not sent again.
#[derive(Debug, Serialize)]
struct NotTaken {
    id: i32,
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

#[derive(Debug, Serialize)]
struct FieldError {
    pointer: String,
    code: &'static str,
    message: String,
}

impl NotTaken {
    fn new(id: i32, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            id,
            code,
            message: message.into(),
            errors: Vec::new(),
        }
    }
}

/// Sends again what may be: the named rows, or all that have failed.
pub(super) async fn retry_batch(
    client: BulkClient,
    State(api): State<Arc<ApiState>>,
    headers: HeaderMap,
    parameters: Result<Query<Vec<(String, String)>>, QueryRejection>,
    body: Body,
) -> Result<(StatusCode, Json<RetryBody>), ApiError> {
    let format = Format::of(&headers).filter(|format| *format != Format::Lines);
    let format = format.ok_or(BulkError::UnknownRetryType)?;
    let _permit = api.bulk.uploads.acquire().await;
    let body = upload::read_whole(body).await?;
    let request = match format {
        Format::Csv => RetryRequest::of_table(&body, parameters)?,
        Format::Json | Format::Lines => RetryRequest::of_json(&body)?,
    };
    let batch = read_batch(&api, &client, &request.reference_id).await?;
    if api.store.backlog() >= api.max_waiting {
        return Err(ApiError::Overloaded);
    }
    let named = request.records.as_ref();
    let named: Option<Vec<i32>> = named.map(|records| records.iter().copied().collect());
    let candidates = api.store.retry_candidates(&batch, named.as_deref()).await?;
    let mut not_taken = unknown(named.as_deref(), &request.modifications, &candidates);
    let (retries, refused) = choose(&api, &client, request, candidates);
    not_taken.extend(refused);
    let taken = if retries.is_empty() {
        BTreeSet::new()
    } else {
        api.store.retry_rows(&batch, &retries).await?
    };
    let overtaken = retries
        .iter()
        .filter(|retry| !taken.contains(&retry.number));
    not_taken.extend(overtaken.map(|retry| {
        NotTaken::new(
            retry.number,
            "retried_already",
            "was sent again by another request",
        )
    }));
    not_taken.sort_by_key(|row| row.id);
    tracing::info!(batch.id = %batch.id, taken = taken.len(), "sent rows of a batch again");
    let status = if taken.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    let batch = body_of(&api, &batch).await?;
    Ok((
        status,
        Json(RetryBody {
            batch,
            taken,
            not_taken,
        }),
    ))
}

/// Which rows are sent again, and as what; and why the others are not.
fn choose(
    api: &ApiState,
    client: &BulkClient,
    mut request: RetryRequest,
    candidates: Vec<Candidate>,
) -> (Vec<Retry>, Vec<NotTaken>) {
    let mut retries: Vec<Retry> = Vec::new();
    let mut refused = Vec::new();
    for candidate in candidates {
        let modification = request.modifications.remove(&candidate.number);
        let is_named = request.records.is_some() || modification.is_some();
        let is_alone = candidate.failed_with.is_some_and(|cause| {
            let is_taken = retries.iter().any(|retry| retry.failed == Some(cause));
            !is_named && !is_taken
        });
        if is_alone {
            let message = "failed with one that is not sent again: name it in records to send it all the same";
            refused.push(NotTaken::new(candidate.number, "needs_naming", message));
            continue;
        }
        let wanted = Wanted {
            is_named,
            modification,
            expires_at: request.expires_at,
        };
        match operation_of(api, client, &candidate, wanted) {
            Ok(operation) => retries.push(Retry {
                number: candidate.number,
                failed: candidate.operation_id,
                operation,
            }),
            Err(not_taken) => refused.push(not_taken),
        }
    }
    (retries, refused)
}

/// The rows that were asked for, but cannot be meant.
fn unknown(
    named: Option<&[i32]>,
    modifications: &BTreeMap<i32, Modification>,
    candidates: &[Candidate],
) -> Vec<NotTaken> {
    let known: BTreeSet<i32> = candidates
        .iter()
        .map(|candidate| candidate.number)
        .collect();
    let asked: BTreeSet<i32> = named
        .unwrap_or_default()
        .iter()
        .chain(modifications.keys())
        .copied()
        .collect();
    let message = if named.is_some() {
        "is no record of this batch"
    } else {
        "is no failed record of this batch"
    };
    asked
        .difference(&known)
        .map(|id| NotTaken::new(*id, "unknown_record", message))
        .collect()
}

/// What is asked of one row.
struct Wanted {
    /// Whether it was named, or only meant by "all that failed".
    is_named: bool,
    modification: Option<Modification>,
    /// Until when it may be sent, where its modification does not say.
    expires_at: Option<DateTime<Utc>>,
}

/// Whether a row that failed so may be sent again as it is asked for.
fn check_eligible(failure: &RowFailure, wanted: &Wanted) -> Result<(), (&'static str, String)> {
    if !wanted.is_named && RetryEligible::must_be_named(&failure.code) {
        let message = "was cancelled, or not sent in time: name it in records to send it again";
        return Err(("needs_naming", message.to_owned()));
    }
    match (failure.retry_eligible, &wanted.modification) {
        (RetryEligible::No, _) => {
            let message = format!("cannot be sent again after {}", failure.code);
            Err(("not_eligible", message))
        }
        (RetryEligible::YesWithModifications, None) => {
            let message = format!("needs other data after {}", failure.code);
            Err(("needs_modification", message))
        }
        (RetryEligible::Yes, _) | (RetryEligible::YesWithModifications, Some(_)) => Ok(()),
    }
}

/// The operation that takes a failed row's place.
fn operation_of(
    api: &ApiState,
    client: &BulkClient,
    candidate: &Candidate,
    wanted: Wanted,
) -> Result<NewOperation, NotTaken> {
    let refuse = |code, message: String| NotTaken::new(candidate.number, code, message);
    let Some(failure) = &candidate.failure else {
        return Err(refuse("not_failed", "has not failed".to_owned()));
    };
    check_eligible(failure, &wanted).map_err(|(code, message)| refuse(code, message))?;
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
        let message = "needs a new expires_at: the one it had has passed";
        return Err(refuse("needs_expires_at", message.to_owned()));
    }
    let named = modification
        .as_ref()
        .and_then(|modification| modification.status.as_deref());
    let entry = match (candidate.operation_type, named) {
        (Some(known), Some(named))
            if known.as_str() != named && candidate.operation_id.is_some() =>
        {
            return Err(refuse(
                "status_changed",
                format!("is a {known} and stays one"),
            ));
        }
        (_, Some(named)) => envelope::entry_of(named)
            .map_err(|problem| refuse("invalid_status", format!("status {}", problem.message)))?,
        (Some(known), None) => operations::entry(known)
            .ok_or_else(|| refuse("invalid_status", format!("{known} is not run here")))?,
        (None, None) => {
            let message = "needs its status beside its data: it had none that is known";
            return Err(refuse("invalid_status", message.to_owned()));
        }
    };
    let payload = match modification {
        Some(modification) => Some(modification.data.into_payload(entry, &api.deployment)),
        None => candidate.payload.clone(),
    };
    let payload =
        payload.ok_or_else(|| refuse("needs_modification", "needs its data".to_owned()))?;
    let checked = (entry.check)(&payload, &api.deployment)
        .map_err(|invalid| invalid_data(candidate.number, invalid))?;
    Ok(NewOperation {
        id: OperationId::new(),
        operation_type: entry.operation_type,
        payload,
        checked,
        caller: client.0.to_string(),
        caller_key: None,
        expires_at: expires_at.or(candidate.expires_at),
        retry_of: candidate.operation_id,
    })
}

fn invalid_data(number: i32, invalid: InvalidPayload) -> NotTaken {
    let errors = invalid.problems.into_iter().map(|problem| FieldError {
        pointer: problem.pointer,
        code: problem.code,
        message: problem.message,
    });
    NotTaken {
        errors: errors.collect(),
        ..NotTaken::new(
            number,
            "invalid_data",
            "is not valid; errors lists what is wrong with it",
        )
    }
}
