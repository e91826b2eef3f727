//! Authentication of a bulk client: four headers (document 002).

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderName, request::Parts},
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
        let values = HEADERS.map(|name| {
            parts
                .headers
                .get(name)
                .map_or(&b""[..], |value| value.as_bytes())
        });
        let client = api
            .bulk
            .clients
            .client(values)
            .ok_or(BulkError::UnknownClient)?;
        Span::current().record("caller", &*client.0);
        Ok(client)
    }
}
