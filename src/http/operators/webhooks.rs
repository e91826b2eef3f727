//! `GET /fineract/webhooks`: how the webhook endpoints of all callers are.

use std::sync::Arc;

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    http::{api_error::ApiError, state::ApiState},
    store::{EndpointHealth, HealthOf},
};

/// The endpoints of all callers.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "WebhookHealth")]
pub(in crate::http) struct WebhooksBody {
    /// The endpoints, by owner.
    endpoints: Vec<EndpointHealth>,
}

/// Shows how the endpoints of all callers are.
pub(in crate::http) async fn show_webhooks(
    State(api): State<Arc<ApiState>>,
) -> Result<Json<WebhooksBody>, ApiError> {
    Ok(Json(WebhooksBody {
        endpoints: api.store.webhook_health(HealthOf::All).await?,
    }))
}
