//! The forms of the page: who may send one, and how it is read.

use std::sync::Arc;

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    cookie::Secret,
    session::{Session, comes_from_here},
};
use crate::http::{
    api_error::ApiError,
    body::{BODY_LIMIT, VISITORS_FORM_LIMIT, read_body},
    state::ApiState,
};

/// A form that a page of this gateway made for this visitor, who need not be signed in.
pub(super) struct OwnForm<T> {
    pub(super) fields: T,
    pub(super) headers: HeaderMap,
}

/// A form of an operator who is signed in.
pub(super) struct SignedForm<T> {
    pub(super) fields: T,
    pub(super) session: Session,
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for OwnForm<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        Self::read(request, state, VISITORS_FORM_LIMIT).await
    }
}

impl<T: DeserializeOwned> OwnForm<T> {
    /// Reads a form of at most `limit` bytes.
    async fn read<S: Send + Sync>(
        request: Request,
        state: &S,
        limit: usize,
    ) -> Result<Self, ApiError> {
        let headers = request.headers().clone();
        let is_form = headers.get(CONTENT_TYPE).is_some_and(|value| {
            value
                .as_bytes()
                .starts_with(b"application/x-www-form-urlencoded")
        });
        let secret = Secret::of(&headers).filter(|_| is_form && comes_from_here(&headers));
        let secret = secret.ok_or(ApiError::ForeignForm)?;
        let body = read_body(request, state, limit).await?;
        let Token { token } = read(&body).ok_or(ApiError::ForeignForm)?;
        if !secret.made(&token) {
            return Err(ApiError::ForeignForm);
        }
        let fields = read(&body).ok_or(ApiError::InvalidForm)?;
        Ok(Self { fields, headers })
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<ApiState>> for SignedForm<T> {
    type Rejection = Response;

    async fn from_request(request: Request, api: &Arc<ApiState>) -> Result<Self, Self::Rejection> {
        use axum::extract::FromRequestParts as _;
        let (mut parts, body) = request.into_parts();
        let session = Session::from_request_parts(&mut parts, api).await?;
        let request = Request::from_parts(parts, body);
        let form = OwnForm::read(request, api, BODY_LIMIT).await;
        let OwnForm { fields, .. } = form.map_err(ApiError::into_response)?;
        Ok(Self { fields, session })
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_html_form::from_bytes(body).ok()
}
