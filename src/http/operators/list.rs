//! `GET /fineract/operations?state=parked`: what only a person can decide.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde::{Deserialize, Serialize};

use super::Ops;
use crate::{
    http::{ApiState, error::ApiError},
    store::{ParkedCursor, ParkedOperation},
};

const DEFAULT_LIMIT: u16 = 100;
const LARGEST_LIMIT: u16 = 1_000;

/// What to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct ListQuery {
    state: Listed,
    limit: Option<u16>,
    cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Listed {
    Parked,
}

/// A page.
#[derive(Debug, Serialize)]
pub(in crate::http) struct ListBody {
    operations: Vec<ParkedOperation>,
    /// What to ask with for the next page; null on the last.
    next_cursor: Option<ParkedCursor>,
}

/// Lists parked operations, those first that have been so for the longest.
pub(in crate::http) async fn list_operations(
    _: Ops,
    State(api): State<Arc<ApiState>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<ListBody>, ApiError> {
    let Query(ListQuery {
        state: Listed::Parked,
        limit,
        cursor,
    }) = query.or(Err(ApiError::InvalidQuery))?;
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=LARGEST_LIMIT).contains(&limit) {
        return Err(ApiError::InvalidQuery);
    }
    let after = cursor
        .map(|cursor| cursor.parse())
        .transpose()
        .or(Err(ApiError::InvalidQuery))?;
    let (operations, next_cursor) = api.store.parked(limit, after).await?;
    Ok(Json(ListBody {
        operations,
        next_cursor,
    }))
}
