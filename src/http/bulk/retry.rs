//! `POST /bulk/retry`: runs failed rows again, each as a new operation that replaces the failed one.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use axum::{
    Json,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    envelope::BatchBody,
    error::BulkError,
    modifications::{Modification, RetryRequest},
    retry_row::{NotTaken, Wanted, operation_of},
    schedule::{body_of, read_batch},
    upload::{self, Format},
};
use crate::{
    http::{access::Caller, api_error::ApiError, json_body::check_coding, state::ApiState},
    store::{Candidate, Retry},
    table::without_byte_order_mark,
};

/// The answer: which rows are retried, and why the other rows are not retried.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "RetriedBatch")]
pub(in crate::http) struct RetryBody {
    #[serde(flatten)]
    batch: BatchBody,
    /// The numbers of the rows that are sent again.
    taken: BTreeSet<i32>,
    /// The rows that are not sent again, each with the reason.
    not_taken: Vec<NotTaken>,
}

/// Retries the named rows, or all failed rows if the request names none. Rows that are not eligible are left out.
pub(super) async fn retry_batch(
    caller: Caller,
    State(api): State<Arc<ApiState>>,
    headers: HeaderMap,
    parameters: Result<Query<Vec<(String, String)>>, QueryRejection>,
    body: Body,
) -> Result<(StatusCode, Json<RetryBody>), BulkError> {
    let format = Format::of(&headers).filter(|format| *format != Format::Lines);
    let format = format.ok_or(BulkError::UnknownRetryType)?;
    check_coding(&headers)?;
    let place = api.bulk.place(&caller.owner).await;
    let body = upload::read_whole(body).await?;
    caller
        .check_still_valid()
        .or(Err(BulkError::UnknownClient))?;
    let reading = place.compute(move || {
        let body = without_byte_order_mark(&body);
        match format {
            Format::Csv => RetryRequest::of_table(body, parameters),
            Format::Json | Format::Lines => RetryRequest::of_json(body).map_err(BulkError::from),
        }
    });
    let request = reading.await??;
    let batch = read_batch(&api, &caller.owner, &request.reference_id).await?;
    if api.store.backlog() >= api.max_waiting {
        return Err(ApiError::Overloaded.into());
    }
    let named = request.records.as_ref();
    let named: Option<Vec<i32>> = named.map(|records| records.iter().copied().collect());
    let candidates = api.store.retry_candidates(&batch, named.as_deref()).await?;
    let mut not_taken = unknown(named.as_deref(), &request.modifications, &candidates);
    let (state, sender) = (Arc::clone(&api), caller.clone());
    let choosing = place.compute(move || choose(&state, &sender, request, candidates));
    let (retries, refused) = choosing.await?;
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
    tracing::info!(batch.id = %batch.id, taken = taken.len(), "accepted a retry of rows of a batch");
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

/// Selects the rows to retry, with their new operations, and gives the reason why the other rows are not retried.
fn choose(
    api: &ApiState,
    caller: &Caller,
    mut request: RetryRequest,
    candidates: Vec<Candidate>,
) -> (Vec<Retry>, Vec<NotTaken>) {
    let mut retries: Vec<Retry> = Vec::new();
    let mut chosen = HashSet::new();
    let mut refused = Vec::new();
    for candidate in candidates {
        let modification = request.modifications.remove(&candidate.number);
        let is_named = request.records.is_some() || modification.is_some();
        let cause = candidate
            .failed_with
            .filter(|cause| !chosen.contains(cause));
        if cause.is_some() && !is_named {
            let message = "failed because of an operation that is not sent again: to send it anyway, name it in records";
            refused.push(NotTaken::new(candidate.number, "needs_naming", message));
            continue;
        }
        let wanted = Wanted {
            is_named,
            modification,
            expires_at: request.expires_at,
            takes_other_ids: request.takes_other_ids,
        };
        match operation_of(api, caller, &candidate, wanted) {
            Ok(operation) => {
                chosen.extend(candidate.operation_id);
                retries.push(Retry {
                    number: candidate.number,
                    failed: candidate.operation_id,
                    was_erased: candidate.is_erased,
                    operation,
                });
            }
            Err(not_taken) => refused.push(not_taken),
        }
    }
    (retries, refused)
}

/// Refuses the rows that the request names but that do not exist in the batch. If the request has no `records`, only
/// failed rows count as existing.
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
        "is not a record of this batch"
    } else {
        "is not a failed record of this batch"
    };
    asked
        .difference(&known)
        .map(|id| NotTaken::new(*id, "unknown_record", message))
        .collect()
}
