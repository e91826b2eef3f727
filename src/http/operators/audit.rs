//! `GET /fineract/audit`: who did what.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    csv::{PAGE, csv_file, wants_csv},
    query::{text, time},
};
use crate::{
    http::{api_error::ApiError, state::ApiState},
    store::AuditFilter,
};

const DEFAULT_LIMIT: u16 = 100;
const LARGEST_LIMIT: u16 = 1_000;

/// The parameters of the audit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct AuditQuery {
    operator: Option<String>,
    action: Option<String>,
    operation: Option<Uuid>,
    repair: Option<Uuid>,
    after: Option<String>,
    before: Option<String>,
    limit: Option<u16>,
    cursor: Option<i64>,
}

/// Reads a time of the query.
fn read_time(pointer: &str, value: Option<&str>) -> Result<Option<DateTime<Utc>>, ApiError> {
    let read = value.map(time).transpose();
    read.map_err(|must| ApiError::invalid_query(pointer, &must))
}

/// Reads a name of the query.
fn read_name(pointer: &str, value: Option<&str>) -> Result<Option<String>, ApiError> {
    let read = value.map(text).transpose();
    read.map_err(|must| ApiError::invalid_query(pointer, &must))
}

/// Shows the audit, the newest action first: one page as JSON, or all of it as CSV.
pub(in crate::http) async fn show_audit(
    State(api): State<Arc<ApiState>>,
    headers: HeaderMap,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let must = "may contain operator, action, operation and repair (UUIDs), after and before (times with their offset), \
                limit (1 to 1000) and cursor";
    let invalid = || ApiError::invalid_query("", must);
    let Ok(Query(query)) = query else {
        return Err(invalid());
    };
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=LARGEST_LIMIT).contains(&limit) {
        return Err(invalid());
    }
    let filter = AuditFilter {
        operator: read_name("/operator", query.operator.as_deref())?,
        action: read_name("/action", query.action.as_deref())?,
        operation: query.operation,
        repair: query.repair,
        after: read_time("/after", query.after.as_deref())?,
        before: read_time("/before", query.before.as_deref())?,
    };
    if wants_csv(&headers) {
        let fetch = move |after: Option<i64>| {
            let (api, filter) = (Arc::clone(&api), filter.clone());
            async move {
                let page = api
                    .store
                    .audit(&filter, PAGE, after.or(query.cursor))
                    .await?;
                Ok((page.actions, page.next_cursor))
            }
        };
        return csv_file("audit", fetch).await;
    }
    let page = api.store.audit(&filter, limit.into(), query.cursor).await?;
    Ok(Json(page).into_response())
}
