//! The state of the whole system.

use std::sync::Arc;

use askama::Template;
use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{format::Time, frame::Frame, render::html, row::short, session::Session};
use crate::{
    http::{
        api_error::ApiError,
        operators::{StatusBody, read_status},
        state::ApiState,
    },
    store::RunningGateway,
};

#[derive(Template)]
#[template(path = "system.html")]
struct SystemPage {
    frame: Frame,
    status: StatusBody,
}

/// Shows the state of the whole system.
pub(super) async fn show(
    session: Session,
    State(api): State<Arc<ApiState>>,
) -> Result<Response, ApiError> {
    Ok(html(&SystemPage {
        frame: Frame::new(&api, &session, "/ops/system", "System"),
        status: read_status(&api).await?,
    }))
}

impl SystemPage {
    fn day(&self, at: &DateTime<Utc>) -> Time {
        Time::day(*at, self.frame.zone)
    }

    fn seconds(&self) -> String {
        format!(
            "{:.1} s",
            self.status.system.database.oldest_transaction_seconds
        )
    }
}

/// What a worker says about Fineract, as the class of a state and in words.
fn fineract(gateway: &RunningGateway) -> Option<(&'static str, String)> {
    let work = gateway.work.as_ref()?;
    let text = |key| work.get(key).and_then(Value::as_str);
    Some(match text("fineract") {
        Some("open") => ("ok", "sending".to_owned()),
        Some("blocked") => ("bad", short(text("reason").unwrap_or_default())),
        _ => ("waiting", "not known yet".to_owned()),
    })
}

/// A number that a worker reports.
fn number(gateway: &RunningGateway, key: &str) -> String {
    let number = gateway.work.as_ref().and_then(|work| work.get(key));
    number.map_or_else(|| "–".to_owned(), Value::to_string)
}
