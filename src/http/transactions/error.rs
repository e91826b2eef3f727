//! The errors of the transactions API, in the format of document 003.

use axum::{
    Extension,
    extract::Request,
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    domain::OperationId,
    http::{access::Refusal, api_error::ApiError, error::ErrorReport, observe::RequestId},
    store::StoreError,
};

/// Every error of a request for a transaction.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransactionError {
    /// An error that other routes have too.
    #[error(transparent)]
    General(#[from] ApiError),
    /// The path contains something that cannot be the id of a transaction.
    #[error("A transaction ID is a UUID, or a tracking ID.")]
    InvalidId,
    /// The API key is missing or unknown.
    #[error("Authorization must be \"Token\" with a known API key.")]
    UnknownKey,
    /// No operation that moves money has this id.
    #[error("Transaction with ID {0} not found")]
    NotFound(OperationId),
    /// The API key has no requests left in this minute.
    #[error("Too many requests with this API key; try again after the window's end.")]
    RateLimited {
        /// In how many seconds the minute ends.
        retry_after: u16,
    },
}

impl TransactionError {
    fn status(&self) -> StatusCode {
        match self {
            Self::General(error) => error.status(),
            Self::InvalidId => StatusCode::BAD_REQUEST,
            Self::UnknownKey => StatusCode::UNAUTHORIZED,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::General(error) => error.code(),
            Self::InvalidId => "invalid_transaction_id",
            Self::UnknownKey => "authentication_failed",
            Self::NotFound(_) => "transaction_not_found",
            Self::RateLimited { .. } => "rate_limit_exceeded",
        }
    }
}

/// The errors that only transactions have, for the OpenAPI document.
pub(in crate::http) fn refusals() -> impl IntoIterator<Item: IntoResponse> {
    [
        TransactionError::InvalidId,
        TransactionError::UnknownKey,
        TransactionError::NotFound(OperationId(Uuid::nil())),
        TransactionError::General(ApiError::Dropped {
            on: NaiveDate::default(),
        }),
        TransactionError::RateLimited { retry_after: 1 },
    ]
}

impl From<Refusal> for TransactionError {
    fn from(refusal: Refusal) -> Self {
        if refusal.is_unauthorized() {
            Self::UnknownKey
        } else {
            Self::General(refusal.into())
        }
    }
}

impl From<StoreError> for TransactionError {
    fn from(error: StoreError) -> Self {
        Self::General(error.into())
    }
}

impl IntoResponse for TransactionError {
    fn into_response(self) -> Response {
        let mut report = ErrorReport::new(self.status(), self.code(), &self);
        match self {
            Self::General(error) => return error.into_response(),
            Self::UnknownKey => report.challenge = Some("Token"),
            Self::RateLimited { retry_after } => report.retry_after = Some(retry_after),
            Self::InvalidId | Self::NotFound(_) => {}
        }
        report.into_response()
    }
}

/// `{"error": {"code", "message", "type"}, "request_id"}`.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "TransactionError")]
pub(in crate::http) struct TransactionErrorBody<'a> {
    /// What is wrong.
    error: ErrorItem<'a>,
    /// The id of the request, as in the gateway's log.
    request_id: &'a str,
}

/// What is wrong.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "TransactionErrorDetail")]
struct ErrorItem<'a> {
    /// A stable code.
    code: &'static str,
    /// A sentence.
    message: &'a str,
    /// The kind of the error.
    r#type: &'static str,
}

impl<'a> TransactionErrorBody<'a> {
    fn new(report: &'a ErrorReport, request_id: &'a str) -> Self {
        let r#type = match report.status {
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::NOT_FOUND => "not_found_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "api_error",
            _ => "invalid_request_error",
        };
        Self {
            error: ErrorItem {
                code: report.code,
                message: &report.detail,
                r#type,
            },
            request_id,
        }
    }
}

/// Renders the errors of the transactions API.
pub(super) async fn render_errors(
    Extension(RequestId(request_id)): Extension<RequestId>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    if let Some(report) = ErrorReport::of(&response) {
        let body = TransactionErrorBody::new(&report, &request_id);
        report.write(&mut response, "application/json", &body);
    }
    response
}
