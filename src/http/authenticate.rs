//! Authentication of a caller: the header `X-Internal-Token`.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderName, request::Parts},
};
use tracing::Span;

use super::{api_error::ApiError, state::ApiState, tokens::Caller};

/// The header that carries the token.
pub(super) const X_INTERNAL_TOKEN: HeaderName = HeaderName::from_static("x-internal-token");

impl FromRequestParts<Arc<ApiState>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        api: &Arc<ApiState>,
    ) -> Result<Self, Self::Rejection> {
        let caller = parts
            .headers
            .get(X_INTERNAL_TOKEN)
            .and_then(|secret| api.tokens.caller(secret.as_bytes()))
            .ok_or(ApiError::Unauthorized)?;
        Span::current().record("caller", &*caller.name);
        Ok(caller)
    }
}
