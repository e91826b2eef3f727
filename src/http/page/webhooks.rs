//! The webhook endpoints of callers: whether they get what they should, and what the gateway sent last.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State},
    response::{Redirect, Response},
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    form::SignedForm,
    format::{Time, duration},
    frame::Frame,
    need::Need,
    render::html,
    session::Session,
};
use crate::{
    domain::Scope,
    http::{api_error::ApiError, state::ApiState},
    store::{Delivery, DeliveryFilter, DeliveryState, EndpointHealth, HealthOf, StoreError},
};

/// How many deliveries the page of an endpoint has.
const DELIVERIES: i64 = 100;

#[derive(Template)]
#[template(path = "webhooks.html")]
struct WebhooksPage {
    frame: Frame,
    endpoints: Vec<EndpointHealth>,
}

#[derive(Template)]
#[template(path = "webhook.html")]
struct WebhookPage {
    frame: Frame,
    endpoint: EndpointHealth,
    deliveries: Vec<Delivery>,
}

/// Lists the endpoints of all callers.
pub(super) async fn list(
    session: Session,
    State(api): State<Arc<ApiState>>,
) -> Result<Response, ApiError> {
    Ok(html(&WebhooksPage {
        frame: Frame::new(&api, &session, "/ops/webhooks", "Webhooks"),
        endpoints: api.store.webhook_health(HealthOf::All).await?,
    }))
}

/// Shows an endpoint with its last deliveries.
pub(super) async fn show(
    session: Session,
    State(api): State<Arc<ApiState>>,
    Path(id): Path<Uuid>,
) -> Result<Response, ApiError> {
    let endpoint = api.store.webhook_health(HealthOf::One(id)).await?.pop();
    let filter = DeliveryFilter {
        endpoint: Some(id),
        ..DeliveryFilter::default()
    };
    Ok(html(&WebhookPage {
        frame: Frame::new(&api, &session, "/ops/webhooks", "Webhook endpoint"),
        endpoint: endpoint.ok_or(ApiError::UnknownWebhook)?,
        deliveries: api
            .store
            .webhook_deliveries(None, filter, DELIVERIES)
            .await?,
    }))
}

/// The form that sends deliveries again.
#[derive(Deserialize)]
pub(super) struct Again {
    reason: String,
    #[serde(default)]
    id: Vec<i64>,
}

/// Sends deliveries again.
pub(super) async fn resend(
    State(api): State<Arc<ApiState>>,
    Path(endpoint): Path<Uuid>,
    form: SignedForm<Again>,
) -> Result<Redirect, ApiError> {
    let Again { reason, id } = form.fields;
    if id.is_empty() {
        let must = "Select at least one delivery.";
        return Err(ApiError::invalid("/id", "nothing_selected", must));
    }
    let operator = form.session.because(Scope::Ops, &reason)?;
    if api.store.resend_webhooks(endpoint, &id, &operator).await? == 0 {
        return Err(ApiError::UnknownDelivery);
    }
    Ok(Redirect::to(&format!("/ops/webhooks/{endpoint}")))
}

/// The endpoints that need a person.
pub(super) async fn in_trouble(
    api: &ApiState,
    now: DateTime<Utc>,
) -> Result<Vec<Need>, StoreError> {
    let endpoints = api.store.webhook_health(HealthOf::InTrouble).await?;
    let needs = endpoints.into_iter().map(|endpoint| Need {
        tone: "tone-warn",
        count: String::new(),
        what: format!("A webhook of {} gets nothing", endpoint.owner),
        more: endpoint.disabled_because.map_or_else(
            || "Every try fails. The gateway goes on trying for five days.".to_owned(),
            |because| {
                format!("It is disabled: {because}. Its owner can enable it; its events wait.")
            },
        ),
        age: endpoint.failing_since.map_or_else(String::new, |since| {
            format!("for {}", duration(now - since))
        }),
        address: format!("/ops/webhooks/{}", endpoint.id),
        go: "Show the deliveries",
    });
    Ok(needs.collect())
}

impl EndpointHealth {
    /// The class and the words of an endpoint's state.
    pub(super) fn words(&self) -> (&'static str, &'static str) {
        match self {
            EndpointHealth {
                disabled_because: Some(_),
                ..
            } => ("s-bad", "disabled"),
            EndpointHealth { enabled: false, .. } => ("s-warn", "switched off"),
            EndpointHealth {
                failing_since: Some(_),
                ..
            } => ("s-bad", "failing"),
            EndpointHealth { .. } => ("s-ok", "delivering"),
        }
    }
}

impl Delivery {
    /// The class and the words of a delivery's state.
    pub(super) fn words(&self) -> (&'static str, &'static str) {
        match self.state() {
            DeliveryState::Delivered => ("s-ok", "delivered"),
            DeliveryState::Failed => ("s-bad", "given up"),
            DeliveryState::Waiting if self.tries > 0 => ("s-warn", "tries again"),
            DeliveryState::Waiting => ("s-running", "waiting"),
        }
    }
}

impl WebhooksPage {
    fn day(&self, at: &DateTime<Utc>) -> Time {
        Time::day(*at, self.frame.zone)
    }
}

impl WebhookPage {
    fn day(&self, at: &DateTime<Utc>) -> Time {
        Time::day(*at, self.frame.zone)
    }
}
