//! A client or a loan: all its operations in order.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};

use super::{format::subject, frame::Frame, render::html, row::Row, session::Session};
use crate::{
    http::{api_error::ApiError, state::ApiState},
    telemetry::wall_clock,
};

#[derive(Template)]
#[template(path = "lane.html")]
struct LanePage {
    frame: Frame,
    number: Option<i64>,
    is_of_earlier_books: bool,
    open: i32,
    has_older: bool,
    rows: Vec<Row>,
}

/// Shows a lane.
pub(super) async fn show(
    session: Session,
    State(api): State<Arc<ApiState>>,
    Path(lane): Path<String>,
) -> Result<Response, ApiError> {
    // No lane has this character, and Postgres refuses it.
    if lane.contains('\0') {
        return Err(ApiError::UnknownLane);
    }
    let story = api
        .store
        .lane_story(&lane)
        .await?
        .ok_or(ApiError::UnknownLane)?;
    let now = wall_clock();
    let kind = if story.lane.starts_with("client:") {
        "Client"
    } else {
        "Loan"
    };
    let title = format!("{kind} {}", subject(&story.lane));
    let rows = story.operations.into_iter();
    Ok(html(&LanePage {
        frame: Frame::new(&api, &session, "/ops/operations", title),
        number: story.fineract_number,
        is_of_earlier_books: story.is_of_earlier_books,
        open: story.open,
        has_older: story.has_older,
        rows: rows
            .map(|row| Row::new(row.operation, now, api.page.zone))
            .collect(),
    }))
}
