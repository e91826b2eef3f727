//! `POST /bulk/status` (document 002): the state of a batch and of its rows.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Extension,
    extract::State,
    http::{HeaderValue, header::WARNING},
    response::{AppendHeaders, IntoResponse},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    balances::{AccountDetails, Balances},
    envelope::Envelope,
    error::BulkError,
    request::{Request, Whole},
    schedule::read_batch,
    whole_batch::WholeBatch,
};
use crate::{
    domain::{OperationId, RetryEligible},
    http::{
        access::Caller, api_error::ApiError, json_body::JsonBody, observe::RequestId,
        state::ApiState,
    },
    store::{Batch, BatchPage, Record, RecordFilter, RowStatus},
};

const PAGE_SIZE: u32 = 100;
const LARGEST_PAGE: u32 = 1_000;

/// The parameters of the request.
#[derive(Debug)]
struct Query {
    reference_id: String,
    filter: RecordFilter,
    page: u32,
    limit: u32,
    include_balances: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Filters {
    status: Option<Vec<String>>,
    retry_eligible: Option<String>,
    search: Option<String>,
}

/// The state of a batch, and one page of its rows.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "BatchStatus")]
pub(in crate::http) struct StatusBody {
    #[serde(flatten)]
    batch: WholeBatch,
    /// Where the page is among the rows that the filters select.
    pagination: Pagination,
    /// The rows of the page.
    records: Vec<RecordBody>,
}

/// Where a page is.
#[derive(Debug, JsonSchema, Serialize)]
struct Pagination {
    /// The page, from 1 on.
    page: u32,
    /// How many rows a page has.
    limit: u32,
    /// How many rows the filters select.
    total: usize,
    /// How many pages these rows have.
    total_pages: usize,
    /// Whether there is a page after this one.
    has_next: bool,
    /// Whether there is a page before this one.
    has_prev: bool,
}

/// A row.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "BatchRecord")]
struct RecordBody {
    /// The number of the row in the file.
    id: i32,
    /// The client's name for the row, or the UUID of its operation.
    consent_id: Option<String>,
    /// The status of the row.
    #[schemars(extend("enum" = RowStatus::ALL.map(RowStatus::as_str)))]
    status: &'static str,
    /// Whether the row may be sent again; null unless it has failed.
    retry_eligible: Option<RetryEligible>,
    /// The `Idempotency-Key` that was last sent to Fineract.
    session_id: Option<String>,
    /// Why the row has failed.
    error: Option<RecordError>,
    /// Present only if the client asked for balances; `null` if the gateway could not read them from Fineract.
    #[serde(skip_serializing_if = "Option::is_none")]
    account_details: Option<AccountDetails>,
}

/// Why a row has failed.
#[derive(Debug, JsonSchema, Serialize)]
struct RecordError {
    /// A code of the gateway or of Fineract.
    code: String,
    /// The reason, as a sentence.
    message: String,
}

/// Reports the state of a batch, and of one page of its rows.
pub(super) async fn report_batch(
    caller: Caller,
    State(api): State<Arc<ApiState>>,
    Extension(request_id): Extension<RequestId>,
    JsonBody(body): JsonBody,
) -> Result<impl IntoResponse, BulkError> {
    let query = Query::read(&body)?;
    let batch = read_batch(&api, &caller.owner, &query.reference_id).await?;
    let limit = query.limit as usize;
    let offset = (query.page as usize - 1).saturating_mul(limit);
    let page = api
        .store
        .batch_page(&batch, &query.filter, offset, limit)
        .await?;
    let (details, unread) = if query.include_balances {
        let details = account_details(&api, &page.records).await?;
        let unread = details.values().filter(|details| details.is_none()).count();
        (Some(details), unread)
    } else {
        (None, 0)
    };
    let warning = (unread > 0).then(|| warning(unread)).flatten();
    let body = StatusBody::of(&batch, page, &query, details.as_ref());
    Ok((
        AppendHeaders(warning.map(|value| (WARNING, value))),
        Envelope::success(&request_id, "Bulk status retrieved successfully", body),
    ))
}

/// The `Warning` header of an answer without some of the accounts. The request does not fail if Fineract is unavailable
/// or too slow.
fn warning(unread: usize) -> Option<HeaderValue> {
    let text =
        format!("199 fineract-gateway \"account_details of {unread} records were not read\"");
    HeaderValue::try_from(text).ok()
}

async fn account_details(
    api: &ApiState,
    records: &[Record],
) -> Result<HashMap<OperationId, AccountDetails>, BulkError> {
    let operations: HashMap<_, _> = records
        .iter()
        .filter_map(|record| Some((record.operation_id?, record.operation_type?)))
        .collect();
    let Some(balances) = &api.bulk.balances else {
        return Ok(operations.keys().map(|id| (*id, None)).collect());
    };
    let ids: Vec<OperationId> = operations.keys().copied().collect();
    let payloads: HashMap<OperationId, Box<RawValue>> = api.store.payloads(&ids).await?;
    let subjects: Vec<_> = operations
        .into_iter()
        .map(|(id, operation_type)| {
            let subject = payloads.get(&id).and_then(|payload| {
                Balances::subject(operation_type, payload, &api.deployment, id)
            });
            (id, subject)
        })
        .collect();
    Ok(balances.read(subjects).await)
}

impl Query {
    fn read(body: &[u8]) -> Result<Self, ApiError> {
        let mut request = Request::parse(body)?;
        let reference_id = request.required_name("reference_id").unwrap_or_default();
        let filters: Filters = request
            .optional_object(
                "filters",
                "an object of status (a list of texts), retry_eligible and search (texts)",
            )
            .unwrap_or_default();
        let filter = read_filter(&mut request, filters);
        let Whole(page) = request
            .optional("page", "a whole number")
            .unwrap_or(Whole(1));
        if page == 0 {
            request.note("page", "out_of_range", "must be at least 1");
        }
        let Whole(limit) = request
            .optional("limit", "a whole number")
            .unwrap_or(Whole(PAGE_SIZE));
        if !(1..=LARGEST_PAGE).contains(&limit) {
            let message = format!("must lie between 1 and {LARGEST_PAGE}");
            request.note("limit", "out_of_range", message);
        }
        let include_balances = request.optional("include_balances", "true or false");
        request.finish()?;
        Ok(Self {
            reference_id,
            filter,
            page,
            limit,
            include_balances: include_balances.unwrap_or_default(),
        })
    }
}

fn read_filter(request: &mut Request, filters: Filters) -> RecordFilter {
    let words: Vec<String> = filters.status.unwrap_or_default();
    let status = words.iter().filter_map(|word| RowStatus::from_name(word));
    let status: Vec<RowStatus> = status.collect();
    if status.len() < words.len() {
        let known = RowStatus::ALL.map(RowStatus::as_str).join(", ");
        let message = format!("must contain only {known}");
        request.note("filters/status", "unknown_value", message);
    }
    let given = |text: &String| !text.is_empty();
    let word = filters.retry_eligible.filter(given);
    let retry_eligible = word.as_deref().and_then(RetryEligible::from_name);
    if word.is_some() && retry_eligible.is_none() {
        let known = RetryEligible::ALL.map(RetryEligible::as_str).join(", ");
        let message = format!("must be one of {known}");
        request.note("filters/retry_eligible", "unknown_value", message);
    }
    let search = filters.search.filter(given);
    if search.as_ref().is_some_and(|search| search.contains('\0')) {
        let message = "must not contain a NUL character";
        request.note("filters/search", "forbidden_character", message);
    }
    RecordFilter {
        status,
        retry_eligible,
        search,
    }
}

impl StatusBody {
    fn of(
        batch: &Batch,
        page: BatchPage,
        query: &Query,
        details: Option<&HashMap<OperationId, AccountDetails>>,
    ) -> Self {
        let total_pages = page.matching.div_ceil(query.limit as usize);
        let batch = WholeBatch::of(batch, &page);
        let records = page.records.into_iter();
        Self {
            batch,
            pagination: Pagination {
                page: query.page,
                limit: query.limit,
                total: page.matching,
                total_pages,
                has_next: (query.page as usize) < total_pages,
                has_prev: query.page > 1,
            },
            records: records
                .map(|record| RecordBody::of(record, details))
                .collect(),
        }
    }
}

impl RecordBody {
    fn of(record: Record, details: Option<&HashMap<OperationId, AccountDetails>>) -> Self {
        // A row that was not accepted concerns no account yet.
        let account_details = details.map(|details| match record.operation_id {
            Some(id) => details.get(&id).cloned().flatten(),
            None => Some(Vec::new()),
        });
        let (retry_eligible, error) = record
            .failure
            .map(|failure| {
                let error = RecordError {
                    code: failure.code,
                    message: failure.message,
                };
                (failure.retry_eligible, error)
            })
            .unzip();
        Self {
            id: record.number,
            consent_id: record.consent_id,
            status: record.status.as_str(),
            retry_eligible,
            session_id: record.last_key.map(|key| key.to_string()),
            error,
            account_details,
        }
    }
}
