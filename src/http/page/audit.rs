//! The audit: who did what.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{action::in_words, format::Time, frame::Frame, render::html, session::Session};
use crate::{
    http::{api_error::ApiError, state::ApiState},
    store::{AuditFilter, AuditRow},
};

/// How many actions a page has.
const ROWS: usize = 100;

/// The address of the page.
#[derive(Deserialize)]
pub(super) struct Address {
    #[serde(default)]
    operator: String,
    #[serde(default)]
    action: String,
    cursor: Option<i64>,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPageView {
    frame: Frame,
    address: Address,
    rows: Vec<AuditRow>,
    next: Option<i64>,
}

/// Shows the actions of operators, the newest first.
pub(super) async fn show(
    session: Session,
    State(api): State<Arc<ApiState>>,
    Query(address): Query<Address>,
) -> Result<Response, ApiError> {
    let must = "must not contain NUL characters";
    for (pointer, text) in [
        ("/operator", &address.operator),
        ("/action", &address.action),
    ] {
        if text.contains('\0') {
            return Err(ApiError::invalid_query(pointer, must));
        }
    }
    let set = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let filter = AuditFilter {
        operator: set(&address.operator),
        action: set(&address.action),
        ..AuditFilter::default()
    };
    let page = api.store.audit(&filter, ROWS, address.cursor).await?;
    Ok(html(&AuditPageView {
        frame: Frame::new(&api, &session, "/ops/audit", "Audit"),
        address,
        rows: page.actions,
        next: page.next_cursor,
    }))
}

impl AuditPageView {
    fn day(&self, at: &DateTime<Utc>) -> Time {
        Time::day(*at, self.frame.zone)
    }
}

/// The state of the operation before and after an action, if the action changed it.
fn change(row: &AuditRow) -> String {
    let state = |side: &Option<serde_json::Value>| {
        let state = side.as_ref()?.get("state")?.as_str()?;
        Some(state.to_owned())
    };
    match (state(&row.before), state(&row.after)) {
        (Some(before), Some(after)) if before != after => format!("{before} → {after}"),
        _ => String::new(),
    }
}
