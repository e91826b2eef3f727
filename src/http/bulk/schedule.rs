//! `POST /bulk/schedule`: accepts a batch of operations in one transaction.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{AppendHeaders, IntoResponse},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::{
    envelope::BatchBody,
    error::{At, BulkError},
    request::{Request, problem},
    rows::Rows,
    upload::{self, Format, Upload},
};
use crate::{
    domain::Owner,
    http::{access::Caller, api_error::ApiError, json_body::check_coding, state::ApiState},
    operations::Problem,
    store::{Batch, BatchAccepted, BodyDigest, NewBatch, RecordFilter, StoreError},
};

const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

type Parameters = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// The members of the request other than its rows.
#[derive(Debug)]
struct Header {
    reference_id: Option<String>,
    file_name: Option<String>,
    global_config: Option<Box<RawValue>>,
    /// Whether the valid rows are to be accepted even if others are not valid (`accept=valid`).
    takes_valid: bool,
    problems: Vec<Problem>,
}

/// Settings that the gateway only stores and returns (document 002).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct GlobalConfig {
    fi_data_range_from: Option<String>,
    fi_data_range_to: Option<String>,
    config_id: Option<String>,
}

/// Accepts a batch after all rows have been checked: the whole batch, or with `accept=valid` its valid rows.
pub(super) async fn schedule_batch(
    caller: Caller,
    State(api): State<Arc<ApiState>>,
    headers: HeaderMap,
    parameters: Parameters,
    body: Body,
) -> Result<impl IntoResponse, BulkError> {
    let format = Format::of(&headers).ok_or(BulkError::UnknownUploadType)?;
    check_coding(&headers)?;
    let bulk = &api.bulk;
    let place = bulk.place(&caller.owner).await;
    let rows = Rows::new(Arc::clone(&api.deployment), caller.clone(), bulk.max_rows);
    let Upload {
        around,
        mut rows,
        digest,
    } = upload::read(body, format, rows, &place).await?;
    caller
        .check_still_valid()
        .or(Err(BulkError::UnknownClient))?;
    let header = match format {
        Format::Json => Header::read(around, &rows),
        Format::Lines | Format::Csv => Header::read(texts(parameters), &rows),
    };
    let client = caller.owner.bulk_client();
    // A repeated upload gets the same answer as the first upload, even if the settings have changed since then.
    if let Some(reference_id) = &header.reference_id
        && let Some(known) = api.store.batch(&client, reference_id).await?
    {
        return replay(&api, &known, digest).await;
    }
    if rows.too_many {
        let limit = rows.limit();
        return Err(BulkError::TooManyRows { limit });
    }
    let is_refused = !header.problems.is_empty()
        || rows.is_unreadable
        || !(rows.problems.is_empty() || header.takes_valid);
    let reference_id = match header.reference_id {
        Some(reference_id) if !is_refused => reference_id,
        _ => {
            rows.problems.put_first(At::default(), header.problems);
            return Err(BulkError::InvalidRows(rows.problems));
        }
    };
    if api.store.backlog() >= api.max_waiting {
        return Err(ApiError::Overloaded.into());
    }
    let batch = NewBatch {
        id: Uuid::now_v7(),
        client,
        reference_id,
        digest,
        file_name: header.file_name,
        global_config: header.global_config,
        rows: rows.taken,
    };
    let accepted = api.store.accept_batch(&batch).await?;
    let known = read_batch(&api, &caller.owner, &batch.reference_id).await?;
    if accepted == BatchAccepted::Known {
        return replay(&api, &known, digest).await;
    }
    tracing::info!(
        batch.id = %batch.id,
        batch.rows = batch.rows.len(),
        "accepted a batch"
    );
    Ok(answer(
        StatusCode::ACCEPTED,
        false,
        body_of(&api, &known).await?,
    ))
}

/// The batch of this owner with this `reference_id`.
pub(super) async fn read_batch(
    api: &ApiState,
    owner: &Owner,
    reference_id: &str,
) -> Result<Batch, BulkError> {
    let found = api.store.batch(&owner.bulk_client(), reference_id).await?;
    found.ok_or_else(|| BulkError::BatchNotFound {
        reference_id: reference_id.to_owned(),
    })
}

/// The answer about a batch that was just changed.
pub(super) async fn body_of(api: &ApiState, batch: &Batch) -> Result<BatchBody, StoreError> {
    let nothing = RecordFilter::default();
    let page = api.store.batch_page(batch, &nothing, 0, 0).await?;
    Ok(BatchBody::of(batch, &page))
}

type Answer = (
    StatusCode,
    AppendHeaders<Option<(HeaderName, HeaderValue)>>,
    Json<BatchBody>,
);

/// The answer to an upload whose `reference_id` is known. Another upload under the same `reference_id` is refused.
async fn replay(api: &ApiState, known: &Batch, digest: BodyDigest) -> Result<Answer, BulkError> {
    if !known.is_of(digest) {
        return Err(BulkError::ReferenceIdReused);
    }
    Ok(answer(StatusCode::OK, true, body_of(api, known).await?))
}

fn answer(status: StatusCode, is_replay: bool, body: BatchBody) -> Answer {
    let replayed = is_replay.then_some((IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true")));
    (status, AppendHeaders(replayed), Json(body))
}

/// The parameters of the query, as JSON strings. A query that cannot be parsed counts as empty.
fn texts(parameters: Parameters) -> Vec<(String, Box<RawValue>)> {
    let parameters = parameters
        .map(|Query(parameters)| parameters)
        .unwrap_or_default();
    parameters
        .into_iter()
        .filter_map(|(key, value)| Some((key, to_raw_value(&value).ok()?)))
        .collect()
}

impl Header {
    fn read(around: Vec<(String, Box<RawValue>)>, rows: &Rows) -> Self {
        let mut request = Request::of(around);
        let reference_id = request.required_name("reference_id");
        let file_name = request.optional_name("file_name");
        let config: Option<GlobalConfig> = request.optional_object(
            "global_config",
            "an object of the texts fiDataRangeFrom, fiDataRangeTo and configId",
        );
        let accept: Option<String> = request.optional("accept", "a text");
        let takes_valid = match accept.as_deref() {
            None | Some("all") => false,
            Some("valid") => true,
            Some(_) => {
                request.note("accept", "unknown_value", "must be all or valid");
                false
            }
        };
        let mut problems = request.into_problems();
        if rows.taken.is_empty() && !rows.is_unreadable {
            let message = "must be at least one operation";
            problems.push(problem("/operations", "required", message));
        }
        Self {
            reference_id,
            file_name,
            global_config: config.and_then(|config| to_raw_value(&config).ok()),
            takes_valid,
            problems,
        }
    }
}
