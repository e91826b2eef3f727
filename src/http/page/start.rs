//! The start page: what needs a person now, and how things are going.

use std::sync::Arc;

use askama::Template;
use axum::{extract::State, response::Response};
use chrono::{DateTime, TimeDelta, Utc};

use super::{
    charts::{Chart, chart, failures},
    format::Time,
    frame::Frame,
    need::Need,
    needs::needs,
    render::html,
    session::Session,
};
use crate::{
    http::{
        api_error::ApiError,
        operators::{StatusBody, read_status},
        state::ApiState,
    },
    telemetry::wall_clock,
};

/// The steps of a chart, and the minutes of each.
const HOUR: (usize, i64) = (60, 1);
const DAY: (usize, i64) = (96, 15);

#[derive(Template)]
#[template(path = "start.html")]
struct StartPage {
    frame: Frame,
    headline: String,
    needs: Vec<Need>,
    status: StatusBody,
    in_flight: String,
    hour: Chart,
    /// The failures of the last hour, compared with the hours before.
    failures: Option<String>,
    day: Chart,
}

/// Shows what needs a person.
pub(super) async fn show(
    session: Session,
    State(api): State<Arc<ApiState>>,
) -> Result<Response, ApiError> {
    let now = wall_clock();
    let status = read_status(&api).await?;
    let needs = needs(&api, &status, now).await?;
    let urgent = needs.iter().filter(|need| need.tone != "tone-busy").count();
    let headline = match urgent {
        0 => "Nothing needs you".to_owned(),
        1 => "One thing needs you".to_owned(),
        _ => format!("{urgent} things need you"),
    };
    let minutes = api.store.minutes(now - TimeDelta::days(1)).await?;
    Ok(html(&StartPage {
        frame: Frame::new(&api, &session, "/ops", "What needs me"),
        headline,
        needs,
        in_flight: in_flight(&status),
        hour: chart(&minutes, now, HOUR, api.page.zone),
        failures: failures(&minutes, now),
        day: chart(&minutes, now, DAY, api.page.zone),
        status,
    }))
}

/// How many operations the workers run, of how many they may run at once.
fn in_flight(status: &StatusBody) -> String {
    let works = status
        .gateways
        .iter()
        .filter_map(|gateway| gateway.work.as_ref());
    let numbers = works.map(|work| {
        let number = |key| {
            work.get(key)
                .and_then(serde_json::Value::as_u64)
                .unwrap_or_default()
        };
        (number("in_flight"), number("limit"))
    });
    let (running, limit) = numbers.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    format!("{running} of {limit}")
}

impl StartPage {
    fn day(&self, at: &DateTime<Utc>) -> Time {
        Time::day(*at, self.frame.zone)
    }

    fn held(&self) -> i64 {
        self.status.on_hold.iter().map(|count| count.count).sum()
    }
}
