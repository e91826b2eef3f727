//! The batches of bulk clients: their rows, progress and failures.

use std::{cmp::Reverse, sync::Arc};

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    format::Time,
    frame::Frame,
    render::html,
    row::{Row, short},
    session::Session,
};
use crate::{
    http::{api_error::ApiError, state::ApiState},
    store::{Count, CountBy, ListRequest, ListedBatch, OperationFilter, Sort, StateFilter},
    telemetry::wall_clock,
};

/// How many rows of a batch its page has.
const ROWS: usize = 100;

#[derive(Template)]
#[template(path = "batches.html")]
struct BatchesPage {
    frame: Frame,
    batches: Vec<ListedBatch>,
}

#[derive(Template)]
#[template(path = "batch.html")]
struct BatchPage {
    frame: Frame,
    batch: ListedBatch,
    states: Vec<Count>,
    failures: Vec<Count>,
    rows: Vec<Row>,
    has_more: bool,
}

/// Lists the newest batches.
pub(super) async fn list(
    session: Session,
    State(api): State<Arc<ApiState>>,
) -> Result<Response, ApiError> {
    Ok(html(&BatchesPage {
        frame: Frame::new(&api, &session, "/ops/batches", "Batches"),
        batches: api.store.batches(None).await?,
    }))
}

/// Shows a batch.
pub(super) async fn show(
    session: Session,
    State(api): State<Arc<ApiState>>,
    Path(id): Path<Uuid>,
) -> Result<Response, ApiError> {
    let batch = api.store.batches(Some(id)).await?.pop();
    let batch = batch.ok_or(ApiError::UnknownBatch)?;
    let filter = OperationFilter {
        batch: Some(id),
        ..OperationFilter::default()
    };
    let failed = OperationFilter {
        state: Some(StateFilter::Failed),
        ..filter.clone()
    };
    let states = api.store.count(&filter, CountBy::State).await?;
    let mut failures = api.store.count(&failed, CountBy::ReasonCode).await?;
    failures.sort_by_key(|count| Reverse(count.count));
    let request = ListRequest {
        filter,
        sort: Some(Sort::BatchRow),
        limit: ROWS,
        after: None,
    };
    let page = api.store.list(&request).await?;
    let now = wall_clock();
    let rows = page.operations.into_iter();
    Ok(html(&BatchPage {
        frame: Frame::new(
            &api,
            &session,
            "/ops/batches",
            format!("Batch {}", batch.reference_id),
        ),
        batch,
        states,
        failures,
        rows: rows
            .map(|listed| Row::new(listed, now, api.page.zone))
            .collect(),
        has_more: page.next_cursor.is_some(),
    }))
}

impl BatchesPage {
    fn day(&self, at: &DateTime<Utc>) -> Time {
        Time::day(*at, self.frame.zone)
    }
}

impl BatchPage {
    fn day(&self, at: &DateTime<Utc>) -> Time {
        Time::day(*at, self.frame.zone)
    }
}
