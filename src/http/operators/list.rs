//! `GET /fineract/operations`: the parked operations (`?state=parked`), or the operations on hold (`?state=on_hold`).

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Ops;
use crate::{
    http::{api_error::ApiError, state::ApiState},
    store::{HoldFilter, ListCursor},
};

const DEFAULT_LIMIT: u16 = 100;
const LARGEST_LIMIT: u16 = 1_000;

/// The parameters of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct ListQuery {
    state: Listed,
    limit: Option<u16>,
    cursor: Option<String>,
    // The fields of `HoldFilter`, repeated here because `#[serde(flatten)]` cannot read numbers and booleans from a
    // query.
    r#type: Option<String>,
    lender: Option<String>,
    lane: Option<String>,
    accepted_after: Option<DateTime<Utc>>,
    accepted_before: Option<DateTime<Utc>>,
    sent: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Listed {
    Parked,
    OnHold,
}

/// One page of a list.
#[derive(Debug, Serialize)]
struct ListBody<T> {
    operations: Vec<T>,
    /// The `cursor` for the next page; null on the last page.
    next_cursor: Option<ListCursor>,
}

/// Lists operations. With `state=parked`: the parked operations, beginning with the one that has been parked for the
/// longest time. With `state=on_hold`: the operations on hold that match a filter, in the order of acceptance.
pub(in crate::http) async fn list_operations(
    _: Ops,
    State(api): State<Arc<ApiState>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(query) = query.or(Err(ApiError::InvalidQuery))?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=LARGEST_LIMIT).contains(&limit) {
        return Err(ApiError::InvalidQuery);
    }
    let after = query
        .cursor
        .map(|cursor| cursor.parse())
        .transpose()
        .or(Err(ApiError::InvalidQuery))?;
    let filter = HoldFilter {
        operation_type: query.r#type,
        lender: query.lender,
        lane: query.lane,
        accepted_after: query.accepted_after,
        accepted_before: query.accepted_before,
        sent: query.sent,
    };
    match query.state {
        Listed::Parked if !filter.is_empty() => Err(ApiError::InvalidQuery),
        Listed::Parked => Ok(page(api.store.parked(limit, after).await?)),
        Listed::OnHold => Ok(page(api.store.on_hold(&filter, limit, after).await?)),
    }
}

fn page<T: Serialize>((operations, next_cursor): (Vec<T>, Option<ListCursor>)) -> Response {
    Json(ListBody {
        operations,
        next_cursor,
    })
    .into_response()
}
