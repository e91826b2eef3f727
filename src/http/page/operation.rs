//! One operation: why it is where it is, what happened, and what a person can do about it.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{
    action::in_words,
    explain::{Explanation, explain},
    form::SignedForm,
    format::{Time, grouped, shown_state, subject},
    frame::Frame,
    in_fineract::InFineract,
    json::{amount, field},
    pretty::{Piece, pretty},
    render::html,
    session::Session,
    sign_in::Nothing,
    timeline::{Event, events},
};
use crate::{
    domain::{OperationType, Scope, decision::UNSEEN},
    http::{
        api_error::ApiError,
        operators::{LOOKED, Named},
        state::ApiState,
    },
    store::Inspected,
};

/// The entry of the navigation to which the page belongs.
const PLACE: &str = "/ops/operations";

#[derive(Template)]
#[template(path = "operation.html")]
struct OperationPage {
    frame: Frame,
    id: String,
    lane: String,
    /// What has just been done.
    done: &'static str,
    explanation: Explanation,
    events: Vec<Event>,
    payload: Vec<Piece>,
    amount: Option<String>,
    is_revealed: bool,
    /// What Fineract says now, if the operator has asked.
    in_fineract: Option<InFineract>,
    utr: Option<String>,
    lender: Option<String>,
    steps: Vec<Step>,
    inspected: Inspected,
}

/// An operation in the lane of the operation.
struct Step {
    id: String,
    operation_type: String,
    state: String,
    is_here: bool,
}

/// What has just been done on the page.
#[derive(Deserialize)]
pub(super) struct Done {
    #[serde(default)]
    done: String,
}

/// What a page shows beside the operation.
#[derive(Clone, Copy, Default)]
struct Beside {
    /// What has just been done.
    done: &'static str,
    /// Whether people's data is shown.
    is_revealed: bool,
    /// Whether Fineract is asked.
    asks: bool,
    /// Whether digits are grouped as in India.
    is_indian: bool,
}

/// Shows an operation.
pub(super) async fn show(
    session: Session,
    State(api): State<Arc<ApiState>>,
    named: Named,
    Query(Done { done }): Query<Done>,
) -> Result<Response, ApiError> {
    let beside = Beside {
        done: done_in_words(&done),
        ..Beside::default()
    };
    page(&api, Frame::new(&api, &session, PLACE, ""), named, beside).await
}

/// Shows an operation with people's data, which the audit records.
pub(super) async fn reveal(
    State(api): State<Arc<ApiState>>,
    named: Named,
    form: SignedForm<Nothing>,
) -> Result<Response, ApiError> {
    let frame = Frame::new(&api, &form.session, PLACE, "");
    let beside = Beside {
        is_revealed: true,
        is_indian: form.session.is_indian,
        ..Beside::default()
    };
    let operator = form.session.because(Scope::OpsPii, LOOKED)?;
    let found = named.find(&api).await?;
    api.store.record_reveal(&found, &operator).await?;
    page(&api, frame, named, beside).await
}

/// Shows an operation, and what Fineract says now about its client or loan.
pub(super) async fn ask(
    State(api): State<Arc<ApiState>>,
    named: Named,
    form: SignedForm<Nothing>,
) -> Result<Response, ApiError> {
    let beside = Beside {
        asks: true,
        ..Beside::default()
    };
    page(
        &api,
        Frame::new(&api, &form.session, PLACE, ""),
        named,
        beside,
    )
    .await
}

async fn page(
    api: &ApiState,
    frame: Frame,
    named: Named,
    beside: Beside,
) -> Result<Response, ApiError> {
    let inspected = named.inspect(api).await?;
    let in_fineract = if beside.asks {
        Some(InFineract::ask(api, &inspected).await)
    } else {
        None
    };
    let inspected = if beside.is_revealed {
        inspected
    } else {
        inspected.without_personal_data()
    };
    let operation = &inspected.operation;
    let payload = operation.payload.get();
    let written = operation.lanes.iter().find(|entry| entry.writes);
    let lane = written.map_or_else(String::new, |entry| entry.lane.clone());
    let id = named.id().to_string();
    let amount = amount(payload);
    let page = OperationPage {
        frame: Frame {
            title: format!("{} of {}", operation.operation_type, subject(&lane)),
            ..frame
        },
        done: beside.done,
        explanation: explain(&inspected),
        events: events(&inspected, api.page.zone),
        payload: pretty(payload),
        amount: amount.map(|amount| grouped(&amount, beside.is_indian)),
        is_revealed: beside.is_revealed,
        in_fineract,
        utr: field(payload, "utr_payment_id").filter(|utr| utr != "***"),
        lender: field(payload, "lenderConfig"),
        steps: steps(&inspected, &id),
        id,
        lane,
        inspected,
    };
    Ok(html(&page))
}

impl OperationPage {
    fn day(&self, at: &DateTime<Utc>) -> Time {
        Time::day(*at, self.frame.zone)
    }

    /// The state, in which `on_hold` counts as one.
    fn state(&self) -> &str {
        shown(&self.inspected)
    }

    /// Whether an operator can perform an action now.
    fn can(&self, action: &str) -> bool {
        let mut actions = self.inspected.actions.iter();
        actions.any(|possible| possible.action == action && possible.possible)
    }

    /// Whether it is on hold by itself, not together with everything else.
    fn is_on_hold_alone(&self) -> bool {
        let operation = &self.inspected.operation;
        operation.on_hold && operation.hold_all.is_none()
    }

    /// Whether Fineract does not show a command that may wait for a checker. Only then a worker asks whether an operator
    /// has looked.
    fn may_wait_unseen(&self) -> bool {
        self.code() == Some(UNSEEN)
    }

    /// Why it is parked, blocked or retried, or why it has failed.
    fn code(&self) -> Option<&str> {
        let operation = &self.inspected.operation;
        let result = operation.result.as_ref();
        let code = operation.reason_code.as_deref();
        code.or_else(|| result?.code.as_deref())
    }

    /// Whether it pays money.
    fn pays(&self) -> bool {
        let name = &self.inspected.operation.operation_type;
        let mut payments = OperationType::PAYMENTS.iter();
        payments.any(|payment| payment.as_str() == name)
    }

    /// Why nothing can be done, if nothing can be done.
    fn why_nothing(&self) -> Option<&str> {
        let actions = &self.inspected.actions;
        if actions.iter().any(|possible| possible.possible) {
            return None;
        }
        let retry = actions.iter().find(|possible| possible.action == "retry");
        retry.and_then(|possible| possible.why_not.as_deref())
    }
}

/// The operation and its neighbours, in the order of the lane.
fn steps(inspected: &Inspected, id: &str) -> Vec<Step> {
    let operation = &inspected.operation;
    let written = operation.lanes.iter().find(|entry| entry.writes);
    let position = written.map_or(0, |entry| entry.position);
    let here = Step {
        id: id.to_owned(),
        operation_type: operation.operation_type.clone(),
        state: shown(inspected).to_owned(),
        is_here: true,
    };
    let neighbours = inspected.neighbours.iter().map(|other| {
        let step = Step {
            id: other.id.to_string(),
            operation_type: other.operation_type.clone(),
            state: shown_state(&other.state, other.on_hold, other.ended_at.is_some()).to_owned(),
            is_here: false,
        };
        (other.position, step)
    });
    let mut steps: Vec<_> = neighbours.chain([(position, here)]).collect();
    steps.sort_by_key(|(position, _)| *position);
    steps.into_iter().map(|(_, step)| step).collect()
}

fn shown(inspected: &Inspected) -> &str {
    let operation = &inspected.operation;
    shown_state(
        &operation.state,
        operation.on_hold,
        operation.ended_at.is_some(),
    )
}

fn done_in_words(done: &str) -> &'static str {
    match done {
        "retry" => "It runs as soon as its turn comes. If it is on hold, release it first.",
        "resolve" => {
            "Recorded. A worker now compares this with Fineract and then ends the operation."
        }
        "cancel" => "Cancelled.",
        "hold" => "Put on hold.",
        "release" => "Released.",
        _ => "",
    }
}
