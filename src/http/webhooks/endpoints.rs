//! The endpoints of an owner.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{OriginalUri, Path, State, rejection::PathRejection},
    http::{StatusCode, header::LOCATION},
    response::{AppendHeaders, IntoResponse},
};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    TEST,
    settings::{new_settings, read_settings},
};
use crate::{
    domain::Owner,
    http::{
        access::Caller, api_error::ApiError, events::timestamp, json_body::JsonBody, location,
        state::ApiState,
    },
    store::{Endpoint, EndpointSettings},
    telemetry::wall_clock,
    webhooks::Secret,
};

/// How long the old key stays valid if the owner says nothing else.
const OVERLAP_HOURS: u64 = 24;
pub(in crate::http) const LONGEST_OVERLAP_HOURS: u64 = 7 * 24;

/// The id of an endpoint in a path.
type EndpointPath = Result<Path<Uuid>, PathRejection>;

/// An endpoint as its owner sees it. Values of its headers are never shown.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "WebhookEndpoint")]
pub(in crate::http) struct EndpointBody {
    /// The id.
    id: Uuid,
    /// Where deliveries are sent.
    url: String,
    /// What its owner calls it.
    description: String,
    /// The event types that it gets; `None`: all.
    event_types: Option<Vec<String>>,
    /// The names of the headers of its own.
    header_names: Vec<String>,
    /// How many deliveries begin in a second at most; `None`: as many as it takes.
    rate: Option<i32>,
    /// Whether an event of a loan or client is sent after the one before it was delivered.
    ordered: bool,
    /// Whether deliveries contain ids only.
    thin: bool,
    /// Whether it gets deliveries now.
    enabled: bool,
    /// Why the gateway has disabled it.
    disabled_because: Option<String>,
    /// Since when every try has failed.
    failing_since: Option<DateTime<Utc>>,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// The key of the signatures; only when it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl EndpointBody {
    fn new(endpoint: Endpoint, secret: Option<&Secret>) -> Self {
        let EndpointSettings {
            url,
            description,
            event_types,
            headers,
            rate,
            ordered,
            thin,
            enabled,
        } = endpoint.settings;
        Self {
            id: endpoint.id,
            url,
            description,
            event_types,
            header_names: headers.into_keys().collect(),
            rate,
            ordered,
            thin,
            enabled,
            disabled_because: endpoint.disabled_because,
            failing_since: endpoint.failing_since,
            created_at: endpoint.created_at,
            secret: secret.map(Secret::reveal),
        }
    }
}

/// The endpoints of the owner.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "WebhookEndpoints")]
pub(in crate::http) struct EndpointsBody {
    /// The endpoints, the oldest first.
    endpoints: Vec<EndpointBody>,
}

/// Reads the endpoint in the path. Another owner's is unknown.
async fn find(api: &ApiState, owner: &Owner, id: EndpointPath) -> Result<Endpoint, ApiError> {
    let Path(id) = id.or(Err(ApiError::UnknownWebhook))?;
    let found = api.store.webhooks(Some(owner), Some(id)).await?;
    found.into_iter().next().ok_or(ApiError::UnknownWebhook)
}

/// Lists the owner's endpoints, the oldest first.
pub(super) async fn list_endpoints(
    Caller { owner, .. }: Caller,
    State(api): State<Arc<ApiState>>,
) -> Result<Json<EndpointsBody>, ApiError> {
    let endpoints = api.store.webhooks(Some(&owner), None).await?;
    let endpoints = endpoints.into_iter();
    Ok(Json(EndpointsBody {
        endpoints: endpoints
            .map(|endpoint| EndpointBody::new(endpoint, None))
            .collect(),
    }))
}

/// Creates an endpoint, and answers with its key.
pub(super) async fn create_endpoint(
    Caller { owner, .. }: Caller,
    State(api): State<Arc<ApiState>>,
    OriginalUri(uri): OriginalUri,
    body: JsonBody,
) -> Result<impl IntoResponse, ApiError> {
    let settings = read_settings(&body, new_settings(), &api.webhooks)?;
    let secret = Secret::random();
    let endpoint = api
        .store
        .create_webhook(&owner, &settings, secret.bytes())
        .await?;
    let endpoint = endpoint.ok_or(ApiError::TooManyWebhooks)?;
    let location = location::relative(&uri, 0, &format!("endpoints/{}", endpoint.id));
    Ok((
        StatusCode::CREATED,
        AppendHeaders(location.map(|url| (LOCATION, url))),
        Json(EndpointBody::new(endpoint, Some(&secret))),
    ))
}

/// Shows an endpoint.
pub(super) async fn show_endpoint(
    Caller { owner, .. }: Caller,
    State(api): State<Arc<ApiState>>,
    id: EndpointPath,
) -> Result<Json<EndpointBody>, ApiError> {
    let endpoint = find(&api, &owner, id).await?;
    Ok(Json(EndpointBody::new(endpoint, None)))
}

/// Changes the settings that the body has.
pub(super) async fn change_endpoint(
    Caller { owner, .. }: Caller,
    State(api): State<Arc<ApiState>>,
    id: EndpointPath,
    body: JsonBody,
) -> Result<Json<EndpointBody>, ApiError> {
    let Path(id) = id.or(Err(ApiError::UnknownWebhook))?;
    let change = |settings| read_settings(&body, settings, &api.webhooks);
    let changed = api.store.change_webhook(&owner, id, change).await?;
    let endpoint = changed.ok_or(ApiError::UnknownWebhook)??;
    Ok(Json(EndpointBody::new(endpoint, None)))
}

/// Removes an endpoint with its deliveries.
pub(super) async fn remove_endpoint(
    Caller { owner, .. }: Caller,
    State(api): State<Arc<ApiState>>,
    id: EndpointPath,
) -> Result<StatusCode, ApiError> {
    let Path(id) = id.or(Err(ApiError::UnknownWebhook))?;
    if api.store.remove_webhook(&owner, id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::UnknownWebhook)
    }
}

/// The body of a rotation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotation {
    overlap_hours: Option<u64>,
}

/// Gives an endpoint a new key, and answers with it. For some hours, deliveries have a signature of each key.
pub(super) async fn rotate_secret(
    Caller { owner, .. }: Caller,
    State(api): State<Arc<ApiState>>,
    id: EndpointPath,
    body: JsonBody,
) -> Result<Json<EndpointBody>, ApiError> {
    let must = "may have overlap_hours, from 0 to 168, and nothing else";
    let Rotation { overlap_hours } = body.read("invalid_rotation", must)?;
    let hours = overlap_hours.unwrap_or(OVERLAP_HOURS);
    if hours > LONGEST_OVERLAP_HOURS {
        return Err(ApiError::invalid(
            "/overlap_hours",
            "invalid_rotation",
            "must be 0 to 168",
        ));
    }
    let endpoint = find(&api, &owner, id).await?;
    let secret = Secret::random();
    let overlap = Duration::from_hours(hours);
    let rotated = api
        .store
        .rotate_webhook(&owner, endpoint.id, secret.bytes(), overlap)
        .await?;
    if !rotated {
        return Err(ApiError::UnknownWebhook);
    }
    Ok(Json(EndpointBody::new(endpoint, Some(&secret))))
}

/// The answer that names a delivery.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "WebhookDeliveryId")]
pub(in crate::http) struct DeliveryId {
    /// The id of the delivery.
    pub(super) delivery_id: i64,
}

/// Sends a message to the endpoint, to try it.
pub(super) async fn test_endpoint(
    Caller { owner, .. }: Caller,
    State(api): State<Arc<ApiState>>,
    id: EndpointPath,
) -> Result<impl IntoResponse, ApiError> {
    let endpoint = find(&api, &owner, id).await?;
    if !endpoint.settings.enabled {
        return Err(ApiError::WebhookDisabled);
    }
    let body = json!({ "type": TEST, "timestamp": timestamp(wall_clock()), "data": { "endpoint_id": endpoint.id } });
    let body = body.to_string();
    let added = api
        .store
        .add_webhook_message(&owner, endpoint.id, TEST, &body);
    let delivery_id = added.await?.ok_or(ApiError::UnknownWebhook)?;
    Ok((StatusCode::ACCEPTED, Json(DeliveryId { delivery_id })))
}

/// The body of a recovery.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recovery {
    since: DateTime<Utc>,
}

/// Delivers what has happened since a time and was not delivered.
pub(super) async fn recover_endpoint(
    Caller { owner, .. }: Caller,
    State(api): State<Arc<ApiState>>,
    id: EndpointPath,
    body: JsonBody,
) -> Result<impl IntoResponse, ApiError> {
    let must = "must have since, a time such as 2026-11-29T06:00:00Z, and nothing else";
    let Recovery { since } = body.read("invalid_recovery", must)?;
    let endpoint = find(&api, &owner, id).await?;
    if api
        .store
        .recover_webhook(&owner, endpoint.id, since)
        .await?
    {
        Ok((
            StatusCode::ACCEPTED,
            Json(EndpointBody::new(endpoint, None)),
        ))
    } else {
        Err(ApiError::UnknownWebhook)
    }
}
