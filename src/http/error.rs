//! What can go wrong in a request; how that is told is in `tell`.

use std::{error::Error as _, sync::Arc};

use axum::{
    BoxError,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::bulk::BulkError;
use crate::{
    domain::OperationId,
    operations::Problem,
    store::{ActionError, StoreError, Unfit},
    telemetry::chain,
};

/// Everything that a caller can be refused for.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// The body is no JSON.
    #[error("The body is not valid JSON.")]
    BrokenJson(#[source] serde_json::Error),
    /// The body stopped in the middle.
    #[error("The body could not be read to its end.")]
    UnreadableBody(#[source] BoxError),
    /// The caller's own key is of no use.
    #[error("Idempotency-Key must be given once, as 1 to 255 visible ASCII characters.")]
    InvalidIdempotencyKey,
    /// The path names nothing that could be a tracking id.
    #[error("A tracking id reads OPERATION_TYPE|<uuid>.")]
    MalformedTrackingId,
    /// The query of a list is not one of its.
    #[error(
        "The query must be state=parked or state=on_hold, and may have limit (1 to 1000) and cursor; what is on hold also type, lender, lane, accepted_after, accepted_before and sent."
    )]
    InvalidQuery,
    /// The path names nothing that could be a transaction.
    #[error("A transaction ID is a UUID, or a tracking ID.")]
    InvalidTransactionId,
    /// No API key, or not one of ours.
    #[error("Authorization must be \"Token\" with a known API key.")]
    UnknownKey,
    /// No operation that moves money has this id.
    #[error("Transaction with ID {0} not found")]
    UnknownTransaction(OperationId),
    /// The key was used as often as it may be this minute.
    #[error("Too many requests with this API key; try again after the window's end.")]
    RateLimited {
        /// When the window ends, in seconds.
        retry_after: u16,
    },
    /// No token, or not one of ours.
    #[error("X-Internal-Token is missing or not known.")]
    Unauthorized,
    /// The token is good, but not for this.
    #[error("This takes a token with the ops scope.")]
    Forbidden,
    /// No operation has this id and type.
    #[error("There is no operation with this tracking id.")]
    UnknownTrackingId,
    /// Nothing was ever accepted for this lane.
    #[error("There is no such lane.")]
    UnknownLane,
    /// No route has this path.
    #[error("There is nothing at this path.")]
    UnknownRoute,
    /// The route does not take this method.
    #[error("This path does not take this method; Allow names those it takes.")]
    MethodNotAllowed,
    /// The action does not fit where the operation stands.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The body did not arrive in time.
    #[error("The body took too long to arrive.")]
    BodyTooSlow,
    /// The body is larger than the limit.
    #[error("The body is larger than 64 KiB.")]
    BodyTooLarge,
    /// The body is not said to be JSON.
    #[error("Content-Type must be application/json.")]
    NotJson,
    /// The body is compressed, or encoded otherwise.
    #[error("The body must not be encoded: send it as it is, without Content-Encoding.")]
    EncodedBody,
    /// The body is JSON, but no operation.
    #[error("The request is not valid; errors lists all that is wrong with it.")]
    Invalid(Vec<Problem>),
    /// The caller's own key has brought in another body.
    #[error("This Idempotency-Key was used with another body.")]
    IdempotencyKeyReused,
    /// Too much is waiting.
    #[error("Too many operations are waiting; try again later.")]
    Overloaded,
    /// A bulk request was refused.
    #[error(transparent)]
    Bulk(#[from] BulkError),
    /// A handler panicked.
    #[error("The gateway failed; its log says why, by request_id.")]
    Panicked,
    /// The database did not do its part.
    #[error("The gateway cannot reach its database; try again later.")]
    Unavailable(#[from] StoreError),
}

impl From<ActionError> for ApiError {
    fn from(error: ActionError) -> Self {
        match error {
            ActionError::Unfit(unfit) => unfit.into(),
            ActionError::Store(error) => error.into(),
        }
    }
}

impl ApiError {
    /// A body with one problem, at this JSON pointer.
    pub(super) fn invalid(pointer: &str, code: &'static str, message: &str) -> Self {
        Self::Invalid(vec![Problem {
            pointer: pointer.to_owned(),
            code,
            message: message.to_owned(),
        }])
    }

    /// The HTTP status.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::BrokenJson(_)
            | Self::UnreadableBody(_)
            | Self::InvalidIdempotencyKey
            | Self::MalformedTrackingId
            | Self::InvalidTransactionId
            | Self::InvalidQuery => StatusCode::BAD_REQUEST,
            Self::Unauthorized | Self::UnknownKey => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::UnknownTrackingId
            | Self::UnknownTransaction(_)
            | Self::UnknownLane
            | Self::UnknownRoute => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unfit(_) => StatusCode::CONFLICT,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotJson | Self::EncodedBody => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid(_) | Self::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Overloaded | Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Bulk(error) => error.status(),
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The stable name that callers may rely on.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::BrokenJson(_) => "broken_json",
            Self::UnreadableBody(_) => "unreadable_body",
            Self::InvalidIdempotencyKey => "invalid_idempotency_key",
            Self::MalformedTrackingId => "malformed_tracking_id",
            Self::InvalidQuery => "invalid_query",
            Self::InvalidTransactionId => "invalid_transaction_id",
            Self::UnknownKey => "authentication_failed",
            Self::UnknownTransaction(_) => "transaction_not_found",
            Self::RateLimited { .. } => "rate_limit_exceeded",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::UnknownTrackingId => "unknown_tracking_id",
            Self::UnknownLane => "unknown_lane",
            Self::UnknownRoute => "unknown_route",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Unfit(unfit) => unfit.code(),
            Self::BodyTooSlow => "body_too_slow",
            Self::BodyTooLarge => "body_too_large",
            Self::NotJson => "not_json",
            Self::EncodedBody => "encoded_body",
            Self::Invalid(_) => "invalid_request",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::Overloaded => "too_much_waiting",
            Self::Bulk(error) => error.code(),
            Self::Panicked => "internal_error",
            Self::Unavailable(_) => "database_unavailable",
        }
    }

    /// When it is worth trying again, in seconds.
    pub(super) fn retry_after(&self) -> Option<u16> {
        if let Self::RateLimited { retry_after } = self {
            return Some(*retry_after);
        }
        match self.status() {
            StatusCode::TOO_MANY_REQUESTS => Some(10),
            StatusCode::SERVICE_UNAVAILABLE => Some(5),
            _ => None,
        }
    }

    /// The problems of a 422.
    pub(super) fn problems(&self) -> &[Problem] {
        if let Self::Invalid(problems) = self {
            problems
        } else {
            &[]
        }
    }

    /// What the caller is told: the error's own sentence, never its source. Broken JSON adds the place.
    pub(super) fn detail(&self) -> String {
        if let Self::BrokenJson(error) = self {
            format!(
                "{self} It breaks at line {}, column {}.",
                error.line(),
                error.column()
            )
        } else {
            self.to_string()
        }
    }

    /// Logs it, once.
    pub(super) fn log(&self) {
        let status = self.status();
        let cause = self.source().map(|source| chain(source).to_string());
        if status.is_server_error() {
            tracing::error!(code = self.code(), cause, "a request failed");
        } else {
            tracing::debug!(code = self.code(), cause, "a request was refused");
        }
    }
}

/// Carries the error to [`tell`](super::tell::tell), the one place that knows the request's id.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes are API: a line that changes here breaks callers.
    #[test]
    fn statuses_and_codes_are_stable() {
        let broken = serde_json::from_str::<()>("").unwrap_err();
        for (error, status, code) in [
            (ApiError::BrokenJson(broken), 400, "broken_json"),
            (
                ApiError::InvalidIdempotencyKey,
                400,
                "invalid_idempotency_key",
            ),
            (ApiError::MalformedTrackingId, 400, "malformed_tracking_id"),
            (ApiError::InvalidQuery, 400, "invalid_query"),
            (ApiError::Unauthorized, 401, "unauthorized"),
            (ApiError::Forbidden, 403, "forbidden"),
            (ApiError::UnknownTrackingId, 404, "unknown_tracking_id"),
            (ApiError::UnknownRoute, 404, "unknown_route"),
            (ApiError::MethodNotAllowed, 405, "method_not_allowed"),
            (ApiError::BodyTooSlow, 408, "body_too_slow"),
            (Unfit::Running.into(), 409, "operation_running"),
            (Unfit::UnderWay.into(), 409, "operation_under_way"),
            (Unfit::Sent.into(), 409, "operation_sent"),
            (Unfit::Ended.into(), 409, "operation_ended"),
            (Unfit::Parked.into(), 409, "operation_parked"),
            (Unfit::NotParked.into(), 409, "operation_not_parked"),
            (Unfit::Expired.into(), 409, "operation_expired"),
            (Unfit::OtherEpoch.into(), 409, "other_epoch"),
            (ApiError::UnknownLane, 404, "unknown_lane"),
            (Unfit::NoHold.into(), 409, "no_hold"),
            (ApiError::BodyTooLarge, 413, "body_too_large"),
            (ApiError::NotJson, 415, "not_json"),
            (ApiError::EncodedBody, 415, "encoded_body"),
            (ApiError::Invalid(Vec::new()), 422, "invalid_request"),
            (
                ApiError::IdempotencyKeyReused,
                422,
                "idempotency_key_reused",
            ),
            (ApiError::Overloaded, 429, "too_much_waiting"),
            (ApiError::Panicked, 500, "internal_error"),
            (
                ApiError::Unavailable(StoreError::Closed),
                503,
                "database_unavailable",
            ),
        ] {
            assert_eq!((error.status().as_u16(), error.code()), (status, code));
        }
    }
}
