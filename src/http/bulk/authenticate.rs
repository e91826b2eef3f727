//! Authentication of a bulk client: four headers (document 002).

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, request::Parts},
};
use tracing::Span;

use super::{clients::BulkClient, error::BulkError};
use crate::http::state::ApiState;

/// The header that carries the secret. Header names are case-insensitive.
pub(in crate::http) const CLIENT_SECRET: HeaderName = HeaderName::from_static("client_secret");
const HEADERS: [HeaderName; 4] = [
    HeaderName::from_static("client_id"),
    CLIENT_SECRET,
    HeaderName::from_static("appidentifier"),
    HeaderName::from_static("organisationid"),
];

impl FromRequestParts<Arc<ApiState>> for BulkClient {
    type Rejection = BulkError;

    async fn from_request_parts(
        parts: &mut Parts,
        api: &Arc<ApiState>,
    ) -> Result<Self, Self::Rejection> {
        let name = client_name(api, &parts.headers).ok_or(BulkError::UnknownClient)?;
        Ok(Self(name))
    }
}

/// The name of the client to whom the four headers belong.
pub(in crate::http) fn client_name(api: &ApiState, headers: &HeaderMap) -> Option<Arc<str>> {
    let values = HEADERS.map(|name| headers.get(name).map_or(&b""[..], |value| value.as_bytes()));
    let BulkClient(name) = api.bulk.clients.client(values)?;
    Span::current().record("caller", &*name);
    Some(name)
}
