//! Repairs: one action on many operations, with a preview first.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
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
    domain::{OperationType, Scope, decision::UNSEEN},
    http::{api_error::ApiError, state::ApiState},
    store::{Expected, LeftOut, NewRepair, Repair, RepairError, RepairOf, RepairRow},
    telemetry::wall_clock,
};

const PLACE: &str = "/ops/operations";

/// Which operations a form is about.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Which {
    /// The rows that are selected.
    Picked,
    /// All that match the filter.
    All,
}

/// The form of the list.
#[derive(Deserialize)]
pub(super) struct Asked {
    q: String,
    which: Which,
    action: Choice,
    #[serde(default)]
    id: Vec<Uuid>,
}

/// The form of the preview.
#[derive(Deserialize)]
pub(super) struct Confirmed {
    /// The repair. If the form is sent twice, the repair is started once.
    repair: Uuid,
    /// The digest of what the preview showed.
    digest: String,
    q: String,
    which: Which,
    action: Choice,
    reason: String,
    #[serde(default)]
    id: Vec<Uuid>,
    nothing_waits: Option<String>,
}

/// What an operator wants to be done, and with which operations.
struct Wanted {
    /// The filter bar, with fixed times.
    bar: String,
    which: Which,
    action: Choice,
    ids: Vec<Uuid>,
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
    /// Whether the operations have changed since an earlier preview.
    has_changed: bool,
    repair: Uuid,
    digest: String,
    wanted: Wanted,
    count: usize,
    /// How many operations of each type: `2 LOAN_APPROVE, 1 LOAN_DISBURSE`.
    types: String,
    /// How many of them pay money.
    payments: usize,
    /// How many of them are on hold, or were when they ended.
    on_hold: usize,
    /// Whether a worker asks of one of them whether it waits for a checker.
    may_wait_unseen: bool,
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

/// Shows what a repair would do.
pub(super) async fn preview(
    State(api): State<Arc<ApiState>>,
    form: SignedForm<Asked>,
) -> Result<Response, ApiError> {
    if !form.session.may(Scope::Ops) {
        return Err(ApiError::Forbidden(Scope::Ops.as_str()));
    }
    let frame = Frame::new(&api, &form.session, PLACE, "Preview");
    let fields = form.fields;
    let filter = Filter::read(&fields.q).with_fixed_times(wall_clock(), api.page.zone);
    let wanted = Wanted {
        bar: filter.bar(),
        which: fields.which,
        action: fields.action,
        ids: fields.id,
    };
    Ok(html(&preview_of(&api, frame, wanted).await?))
}

async fn preview_of(api: &ApiState, frame: Frame, wanted: Wanted) -> Result<PreviewPage, ApiError> {
    let new = wanted.repair(api, Uuid::now_v7(), false)?;
    let preview = api.store.preview_repair(&new).await?;
    let now = wall_clock();
    let types = preview.types.iter();
    let types = types.map(|(name, count)| format!("{count} {name}"));
    let payments = OperationType::PAYMENTS.iter();
    let payments = payments.filter_map(|payment| preview.types.get(payment.as_str()));
    let rows = preview.sample.into_iter();
    Ok(PreviewPage {
        frame,
        has_changed: false,
        repair: new.id,
        digest: preview.digest,
        wanted,
        count: preview.matches,
        types: types.collect::<Vec<_>>().join(", "),
        payments: payments.sum(),
        on_hold: preview.on_hold,
        may_wait_unseen: preview.reason_codes.contains_key(UNSEEN),
        rows: rows
            .map(|listed| Row::new(listed, now, api.page.zone))
            .collect(),
        left_out: preview.left_out,
    })
}

/// Starts a repair, if its operations are still as the preview showed them. Otherwise shows a new preview.
pub(super) async fn start(
    State(api): State<Arc<ApiState>>,
    form: SignedForm<Confirmed>,
) -> Result<Response, ApiError> {
    let frame = Frame::new(&api, &form.session, PLACE, "Preview");
    let fields = form.fields;
    let wanted = Wanted {
        bar: fields.q,
        which: fields.which,
        action: fields.action,
        ids: fields.id,
    };
    let operator = form.session.because(Scope::Ops, &fields.reason)?;
    let new = wanted.repair(&api, fields.repair, fields.nothing_waits.is_some())?;
    let expected = Expected::Seen(&fields.digest);
    match api.store.start_repair(&new, expected, &operator).await {
        Err(RepairError::NotAsSeen) => {
            let page = PreviewPage {
                has_changed: true,
                ..preview_of(&api, frame, wanted).await?
            };
            Ok((StatusCode::CONFLICT, html(&page)).into_response())
        }
        started => {
            started?;
            let action = new.action.as_str();
            tracing::info!(repair.id = %new.id, action, "an operator started a repair on the page");
            Ok(Redirect::to(&format!("/ops/repairs/{}", new.id)).into_response())
        }
    }
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
    let operator = form.session.because(Scope::Ops, &form.fields.reason)?;
    api.store.stop_repair(id, &operator).await?;
    Ok(Redirect::to(&format!("/ops/repairs/{id}")))
}

impl Wanted {
    fn repair(&self, api: &ApiState, id: Uuid, nothing_waits: bool) -> Result<NewRepair, ApiError> {
        let operations = match self.which {
            Which::Picked if self.ids.is_empty() => {
                let must = "Select at least one row, or choose “all that match the filter”.";
                return Err(ApiError::invalid("/id", "nothing_selected", must));
            }
            Which::Picked => RepairOf::Selected {
                ids: self.ids.clone(),
            },
            Which::All => {
                let filter = query(api, &Filter::read(&self.bar), wall_clock())?.filter;
                if filter.is_empty() {
                    let must = "Filter the list first: a repair of every operation is refused.";
                    return Err(ApiError::invalid("/q", "no_filter", must));
                }
                RepairOf::Filter(Box::new(filter))
            }
        };
        Ok(NewRepair {
            id,
            action: self.action.action(),
            operations,
            options: self.action.options(nothing_waits),
            named: Vec::new(),
        })
    }

    fn is_selection(&self) -> bool {
        self.which == Which::Picked
    }
}

/// The conditions of a stored filter, or how many operations were selected, for people.
fn conditions(filter: &serde_json::Value) -> String {
    if let Some(ids) = filter["ids"].as_array() {
        return format!("{} selected", ids.len());
    }
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
