//! `GET /fineract/operations` and `GET /fineract/operations/counts`.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    csv::{PAGE, csv_file, wants_csv},
    query::ListQuery,
};
use crate::{
    http::{api_error::ApiError, state::ApiState},
    store::{Count, CountBy, ListCursor},
};

/// The counts of operations.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "Counts")]
pub(in crate::http) struct CountsBody {
    /// By what the operations are counted.
    by: &'static str,
    /// The counts.
    counts: Vec<Count>,
}

/// Lists the operations that match a filter: one page as JSON, or the whole list as CSV.
pub(in crate::http) async fn list_operations(
    State(api): State<Arc<ApiState>>,
    headers: HeaderMap,
    query: ListQuery,
) -> Result<Response, ApiError> {
    if wants_csv(&headers) {
        return operations_csv(api, query).await;
    }
    Ok(Json(api.store.list(&query.request()).await?).into_response())
}

/// The whole list as CSV.
pub(in crate::http) async fn operations_csv(
    api: Arc<ApiState>,
    query: ListQuery,
) -> Result<Response, ApiError> {
    let request = query.request();
    let fetch = move |after: Option<ListCursor>| {
        let (api, mut request) = (Arc::clone(&api), request.clone());
        request.limit = PAGE;
        request.after = after.or(request.after);
        async move {
            let page = api.store.list(&request).await?;
            Ok((page.operations, page.next_cursor))
        }
    };
    csv_file("operations", fetch).await
}

/// Counts the operations that match a filter, by one of their properties.
pub(in crate::http) async fn count_operations(
    State(api): State<Arc<ApiState>>,
    query: ListQuery,
) -> Result<Json<CountsBody>, ApiError> {
    let by = query.by.unwrap_or(CountBy::State);
    Ok(Json(CountsBody {
        by: by.as_str(),
        counts: api.store.count(&query.filter, by).await?,
    }))
}
