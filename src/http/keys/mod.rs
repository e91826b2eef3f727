//! `/fineract/keys`: the credentials in the database, for administrators.

mod body;
mod request;

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{OriginalUri, Path, State, rejection::PathRejection},
    http::{Method, StatusCode, header::LOCATION},
    response::{AppendHeaders, IntoResponse},
    routing::{get, post},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(super) use self::request::{INVALID, LONGEST_LENDER, LONGEST_NAME, MOST};
pub use self::{body::KeyBody, request::KeyRequest};
use super::{
    api_error::ApiError,
    json_body::JsonBody,
    location,
    need::Need,
    operators::{Ops, checked_reason},
    route_table::Table,
    state::ApiState,
};
use crate::{
    domain::{CredentialSecret, Scope},
    store::{Credential, CredentialError, CredentialSettings, Operator},
};

const NEED: Need = &[Scope::Admin];

/// How long the old secret stays valid if the request does not say it.
pub(super) const OVERLAP_HOURS: u64 = 24;
/// The longest overlap: 30 days.
pub(super) const LONGEST_OVERLAP_HOURS: u64 = 30 * 24;

const MUST: &str = "must have name and kind; may have owner, scopes, operation_types, lenders, rate, addresses, \
                    expires_at and a reason";

/// The routes.
pub(super) fn table() -> Table {
    const ALL: &str = "/fineract/keys";
    const ROTATE: &str = "/fineract/keys/{id}/rotate";
    const REVOKE: &str = "/fineract/keys/{id}/revoke";
    vec![
        (Method::GET, ALL, NEED, get(list_keys)),
        (Method::POST, ALL, NEED, post(create_key)),
        (Method::GET, "/fineract/keys/{id}", NEED, get(show_key)),
        (Method::POST, ROTATE, NEED, post(rotate_key)),
        (Method::POST, REVOKE, NEED, post(revoke_key)),
    ]
}

pub(super) type KeyPath = Result<Path<Uuid>, PathRejection>;

/// The keys.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "Keys")]
pub(super) struct KeysBody {
    /// The keys, the newest first, without those that were revoked more than 30 days ago.
    keys: Vec<KeyBody>,
}

async fn list_keys(State(api): State<Arc<ApiState>>) -> Result<Json<KeysBody>, ApiError> {
    let keys = all(&api).await?;
    Ok(Json(KeysBody { keys }))
}

/// The keys, the newest first, without those that were revoked more than 30 days ago.
pub(super) async fn all(api: &ApiState) -> Result<Vec<KeyBody>, ApiError> {
    let keys = api.store.credentials().all().await?.into_iter();
    Ok(keys.map(|key| KeyBody::new(key, None)).collect())
}

async fn show_key(
    State(api): State<Arc<ApiState>>,
    id: KeyPath,
) -> Result<Json<KeyBody>, ApiError> {
    Ok(Json(KeyBody::new(find(&api, id).await?, None)))
}

async fn create_key(
    ops: Ops,
    State(api): State<Arc<ApiState>>,
    OriginalUri(uri): OriginalUri,
    body: JsonBody,
) -> Result<impl IntoResponse, ApiError> {
    let request: KeyRequest = body.read(INVALID, MUST)?;
    let settings = request.check().map_err(ApiError::Invalid)?;
    let operator = acting(ops, request.reason.as_deref())?;
    let key = create(&api, &settings, &operator).await?;
    let location = location::relative(&uri, 0, &format!("keys/{}", key.id));
    Ok((
        StatusCode::CREATED,
        AppendHeaders(location.map(|url| (LOCATION, url))),
        Json(key),
    ))
}

/// Creates a key. The body has its secret.
pub(super) async fn create(
    api: &ApiState,
    settings: &CredentialSettings,
    operator: &Operator,
) -> Result<KeyBody, ApiError> {
    let table = api.store.credentials();
    let secret = table.create(settings, operator).await?;
    api.credentials.hear_now(&table).await;
    tracing::info!(credential.id = %secret.id, "created a key");
    shown(api, &secret).await
}

/// The body of a rotation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotation {
    overlap_hours: Option<u64>,
    reason: Option<String>,
}

async fn rotate_key(
    ops: Ops,
    State(api): State<Arc<ApiState>>,
    id: KeyPath,
    body: JsonBody,
) -> Result<Json<KeyBody>, ApiError> {
    let must = "may have overlap_hours, from 0 to 720, and a reason, and nothing else";
    let Rotation {
        overlap_hours,
        reason,
    } = body.read("invalid_rotation", must)?;
    let operator = acting(ops, reason.as_deref())?;
    let overlap = overlap_hours.unwrap_or(OVERLAP_HOURS);
    let key = find(&api, id).await?;
    Ok(Json(rotate(&api, key.id, overlap, &operator).await?))
}

/// Gives a key a new secret, which the body has. The old secrets end after this many hours.
pub(super) async fn rotate(
    api: &ApiState,
    id: Uuid,
    overlap_hours: u64,
    operator: &Operator,
) -> Result<KeyBody, ApiError> {
    if overlap_hours > LONGEST_OVERLAP_HOURS {
        let must = "must be 0 to 720";
        return Err(ApiError::invalid(
            "/overlap_hours",
            "invalid_rotation",
            must,
        ));
    }
    let overlap = Duration::from_hours(overlap_hours);
    let table = api.store.credentials();
    let secret = table.rotate(id, overlap, operator).await?;
    api.credentials.hear_now(&table).await;
    tracing::info!(credential.id = %secret.id, "rotated a key");
    shown(api, &secret).await
}

/// The body of a revocation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revocation {
    reason: Option<String>,
}

async fn revoke_key(
    ops: Ops,
    State(api): State<Arc<ApiState>>,
    id: KeyPath,
    body: JsonBody,
) -> Result<Json<KeyBody>, ApiError> {
    let must = "may have a reason, and nothing else";
    let Revocation { reason } = body.read("invalid_revocation", must)?;
    let operator = acting(ops, reason.as_deref())?;
    let key = find(&api, id).await?;
    revoke(&api, key.id, &operator).await?;
    let revoked = find(&api, Ok(Path(key.id))).await?;
    Ok(Json(KeyBody::new(revoked, None)))
}

/// Revokes a key.
pub(super) async fn revoke(api: &ApiState, id: Uuid, operator: &Operator) -> Result<(), ApiError> {
    let table = api.store.credentials();
    table.revoke(id, operator).await?;
    api.credentials.hear_now(&table).await;
    tracing::info!(credential.id = %id, "revoked a key");
    Ok(())
}

/// The key with this id.
pub(super) async fn find(api: &ApiState, id: KeyPath) -> Result<Credential, ApiError> {
    let Path(id) = id.or(Err(CredentialError::Unknown))?;
    let found = api.store.credentials().find(&id.to_string()).await?;
    Ok(found.ok_or(CredentialError::Unknown)?)
}

/// The key of a new secret, with the secret.
async fn shown(api: &ApiState, secret: &CredentialSecret) -> Result<KeyBody, ApiError> {
    let key = find(api, Ok(Path(secret.id))).await?;
    Ok(KeyBody::new(key, Some(secret)))
}

/// The operator who acts, for the audit. A reason is not necessary.
fn acting(ops: Ops, reason: Option<&str>) -> Result<Operator, ApiError> {
    match reason {
        Some(reason) => Ok(ops.because(checked_reason(reason)?)),
        None => Ok(ops.operator),
    }
}
