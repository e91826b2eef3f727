//! Repairs: one action on many operations, with a preview first.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State},
    response::{IntoResponse as _, Redirect, Response},
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    choice::Choice, filter::Filter, form::SignedForm, format::Time, frame::Frame, list::query,
    render::html, row::Row, session::Session,
};
use crate::{
    domain::OperationId,
    http::{
        api_error::ApiError,
        operators::{self, OpsScope},
        state::ApiState,
    },
    store::{LeftOut, NewRepair, Repair, RepairRow},
    telemetry::wall_clock,
};

const PLACE: &str = "/ops/operations";

/// The form of the list.
#[derive(Deserialize)]
pub(super) struct Asked {
    q: String,
    which: String,
    action: Choice,
    #[serde(default)]
    id: Vec<Uuid>,
}

/// The form of the preview.
#[derive(Deserialize)]
pub(super) struct Confirmed {
    q: String,
    action: Choice,
    reason: String,
    expected: usize,
    #[serde(default)]
    id: Vec<Uuid>,
    nothing_waits: Option<String>,
}

/// The form that stops a repair.
#[derive(Deserialize)]
pub(super) struct Stop {
    reason: String,
}

#[derive(Template)]
#[template(path = "preview.html")]
struct PreviewPage {
    frame: Frame,
    what: &'static str,
    action: &'static str,
    is_resolution: bool,
    bar: String,
    picked: Vec<String>,
    count: usize,
    rows: Vec<Row>,
    left_out: Vec<LeftOut>,
}

#[derive(Template)]
#[template(path = "repair.html")]
struct RepairPage {
    frame: Frame,
    repair: Repair,
    filter: String,
    not_done: Vec<RepairRow>,
}

#[derive(Template)]
#[template(path = "repairs.html")]
struct RepairsPage {
    frame: Frame,
    repairs: Vec<Repair>,
}

#[derive(Template)]
#[template(path = "picked.html")]
struct PickedPage {
    frame: Frame,
    what: &'static str,
    done: usize,
    refused: Vec<(Uuid, String)>,
    bar: String,
}

/// Shows what a repair would do.
pub(super) async fn preview(
    State(api): State<Arc<ApiState>>,
    form: SignedForm<Asked>,
) -> Result<Response, ApiError> {
    let Asked {
        q,
        which,
        action,
        id,
    } = form.fields;
    let frame = Frame::new(&api, &form.session, PLACE, "Preview");
    let now = wall_clock();
    let row = |listed| Row::new(listed, now, api.page.zone);
    let page = |count, rows, left_out, picked| PreviewPage {
        frame,
        what: action.in_words(),
        action: action.value(),
        is_resolution: action.is_resolution(),
        bar: q.clone(),
        picked,
        count,
        rows,
        left_out,
    };
    if which == "all" {
        let new = new_repair(&api, &q, action, false)?;
        let preview = api.store.preview_repair(&new).await?;
        let rows = preview.sample.into_iter().map(row).collect();
        return Ok(html(&page(
            preview.matches,
            rows,
            preview.left_out,
            Vec::new(),
        )));
    }
    if id.is_empty() {
        let must = "Select at least one row, or choose “all that match the filter”.";
        return Err(ApiError::invalid("/id", "nothing_selected", must));
    }
    let rows: Vec<_> = api
        .store
        .read_listed(&id)
        .await?
        .into_iter()
        .map(row)
        .collect();
    let picked = rows.iter().map(|row| row.id.clone()).collect();
    Ok(html(&page(rows.len(), rows, Vec::new(), picked)))
}

/// Starts a repair, or acts at once on the rows that were selected.
pub(super) async fn start(
    State(api): State<Arc<ApiState>>,
    form: SignedForm<Confirmed>,
) -> Result<Response, ApiError> {
    let Confirmed {
        q,
        action,
        reason,
        expected,
        id,
        nothing_waits,
    } = form.fields;
    if !id.is_empty() {
        let frame = Frame::new(&api, &form.session, PLACE, "Done");
        let operator = form.session.because(OpsScope::Act, &reason)?;
        let options = action.options(nothing_waits.is_some());
        let (mut done, mut refused) = (0, Vec::new());
        for id in id {
            let outcome = match api.store.find(OperationId(id)).await? {
                Some(found) => {
                    operators::act(&api, &found, (action.action(), &options), &operator).await
                }
                None => Err(ApiError::UnknownTrackingId),
            };
            match outcome {
                Ok(_) => done += 1,
                Err(ApiError::Unavailable(error)) => return Err(error.into()),
                Err(error) => refused.push((id, error.to_string())),
            }
        }
        let what = action.in_words();
        return Ok(html(&PickedPage {
            frame,
            what,
            done,
            refused,
            bar: q,
        }));
    }
    let new = new_repair(&api, &q, action, nothing_waits.is_some())?;
    let operator = form.session.because(OpsScope::Act, &reason)?;
    let id = api.store.start_repair(&new, expected, &operator).await?;
    tracing::info!(repair.id = %id, action = action.value(), "an operator started a repair on the page");
    Ok(Redirect::to(&format!("/ops/repairs/{id}")).into_response())
}

/// Shows a repair and its progress.
pub(super) async fn show(
    session: Session,
    State(api): State<Arc<ApiState>>,
    Path(id): Path<Uuid>,
) -> Result<Response, ApiError> {
    let report = api.store.repair(id).await?.ok_or(ApiError::UnknownRepair)?;
    let frame = Frame::new(
        &api,
        &session,
        "/ops/audit",
        format!("Repair: {}", report.repair.action),
    );
    Ok(html(&RepairPage {
        frame,
        filter: conditions(&report.repair.filter),
        repair: report.repair,
        not_done: report.not_done,
    }))
}

/// Lists the newest repairs.
pub(super) async fn list(
    session: Session,
    State(api): State<Arc<ApiState>>,
) -> Result<Response, ApiError> {
    let frame = Frame::new(&api, &session, "/ops/audit", "Repairs");
    let repairs = api.store.repairs().await?;
    Ok(html(&RepairsPage { frame, repairs }))
}

/// Stops a repair.
pub(super) async fn stop(
    State(api): State<Arc<ApiState>>,
    Path(id): Path<Uuid>,
    form: SignedForm<Stop>,
) -> Result<Redirect, ApiError> {
    let operator = form.session.because(OpsScope::Act, &form.fields.reason)?;
    api.store.stop_repair(id, &operator).await?;
    Ok(Redirect::to(&format!("/ops/repairs/{id}")))
}

fn new_repair(
    api: &ApiState,
    bar: &str,
    choice: Choice,
    nothing_waits: bool,
) -> Result<NewRepair, ApiError> {
    let filter = query(api, &Filter::read(bar), wall_clock())?.filter;
    if filter.is_empty() {
        let must = "Filter the list first: a repair of every operation is refused.";
        return Err(ApiError::invalid("/q", "no_filter", must));
    }
    Ok(NewRepair {
        action: choice.action(),
        filter,
        options: choice.options(nothing_waits),
        named: Vec::new(),
    })
}

/// The conditions of a stored filter, for people.
fn conditions(filter: &serde_json::Value) -> String {
    let conditions = filter
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            format!("{name}:{value}")
        });
    conditions.collect::<Vec<_>>().join(" ")
}

impl RepairPage {
    fn day(&self, at: &DateTime<Utc>) -> Time {
        Time::day(*at, self.frame.zone)
    }
}

impl RepairsPage {
    fn day(&self, at: &DateTime<Utc>) -> Time {
        Time::day(*at, self.frame.zone)
    }
}
