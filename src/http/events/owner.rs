//! Who asks for events: a caller by its token, or a bulk client by its four headers.

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};

use crate::{
    http::{
        api_error::ApiError,
        authenticate::X_INTERNAL_TOKEN,
        bulk::{CLIENT_SECRET, client_name},
        state::ApiState,
        tokens::Caller,
    },
    store::EventOwner,
};

/// The owner of the events that a request asks for.
#[derive(Debug)]
pub(in crate::http) struct Owner(pub(in crate::http) EventOwner);

impl FromRequestParts<Arc<ApiState>> for Owner {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        api: &Arc<ApiState>,
    ) -> Result<Self, Self::Rejection> {
        let headers = &parts.headers;
        if !headers.contains_key(X_INTERNAL_TOKEN) && headers.contains_key(CLIENT_SECRET) {
            let name = client_name(api, headers).ok_or(ApiError::UnknownEventOwner)?;
            return Ok(Self(EventOwner::BulkClient(name)));
        }
        let caller = Caller::from_request_parts(parts, api).await;
        let caller = caller.or(Err(ApiError::UnknownEventOwner))?;
        Ok(Self(EventOwner::Token(caller.name)))
    }
}
