//! The errors of operate, track and the operators' routes, and the errors that all routes share.

use std::any::Any;

use axum::{
    BoxError,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use tower_http::catch_panic::CatchPanicLayer;

use super::error::ErrorReport;
use crate::{
    operations::Problem,
    store::{ActionError, ListError, RepairError, StoreError, Unfit},
};

/// An error that a caller sees. Bulk and transactions add their own errors to these.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// The body is not JSON.
    #[error("The body is not valid JSON.")]
    BrokenJson(#[source] serde_json::Error),
    /// The connection broke before the whole body had arrived.
    #[error("The body could not be read to its end.")]
    UnreadableBody(#[source] BoxError),
    /// The caller's `Idempotency-Key` is malformed, or given twice.
    #[error("Idempotency-Key must be given once, as 1 to 255 visible ASCII characters.")]
    InvalidIdempotencyKey,
    /// The path contains something that cannot be a tracking id.
    #[error("A tracking id has the form OPERATION_TYPE|<uuid>.")]
    MalformedTrackingId,
    /// The query of a list has unknown parameters or wrong values.
    #[error("The query is not valid; errors lists all problems.")]
    InvalidQuery(Vec<Problem>),
    /// The token is missing or unknown.
    #[error("X-Internal-Token is missing or not known.")]
    Unauthorized,
    /// The token is known, but does not have this scope.
    #[error("This route requires the scope {0}.")]
    Forbidden(&'static str),
    /// No operation has this id and type.
    #[error("There is no operation with this tracking id.")]
    UnknownTrackingId,
    /// The gateway has never accepted an operation in this lane.
    #[error("There is no such lane.")]
    UnknownLane,
    /// No repair has this id.
    #[error("There is no repair with this id.")]
    UnknownRepair,
    /// More operations match a repair than the operator expected, or than a repair may have.
    #[error("{0}")]
    TooManyMatch(String),
    /// No route has this path.
    #[error("There is nothing at this path.")]
    UnknownRoute,
    /// The route does not support this method.
    #[error(
        "This path does not support this method; the header Allow lists the supported methods."
    )]
    MethodNotAllowed,
    /// The state of the operation does not permit the action.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The body did not arrive in time.
    #[error("The body took too long to arrive.")]
    BodyTooSlow,
    /// The body is larger than the limit.
    #[error("The body is larger than 64 KiB.")]
    BodyTooLarge,
    /// The `Content-Type` is not JSON.
    #[error("Content-Type must be application/json.")]
    NotJson,
    /// The body has a `Content-Encoding`, such as a compression.
    #[error("The body must not be encoded: send it as it is, without Content-Encoding.")]
    EncodedBody,
    /// The body is JSON, but not a valid request.
    #[error("The request is not valid; errors lists all problems.")]
    Invalid(Vec<Problem>),
    /// The caller has used this `Idempotency-Key` with another body.
    #[error("This Idempotency-Key was used with another body.")]
    IdempotencyKeyReused,
    /// The backlog has reached its limit.
    #[error("Too many operations are waiting; try again later.")]
    Overloaded,
    /// A handler panicked.
    #[error("The gateway failed; search its log for the request_id to find the reason.")]
    Panicked,
    /// The database refused a statement, or is unavailable.
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

impl From<ListError> for ApiError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::NoIndex(why) => Self::invalid("", "no_index", why.0),
            ListError::Store(error) => error.into(),
        }
    }
}

impl From<RepairError> for ApiError {
    fn from(error: RepairError) -> Self {
        match error {
            RepairError::NoIndex(why) => ListError::NoIndex(why).into(),
            RepairError::Unknown => Self::UnknownRepair,
            RepairError::Store(error) => error.into(),
            RepairError::TooMany | RepairError::MoreThanExpected { .. } => {
                Self::TooManyMatch(error.to_string())
            }
        }
    }
}

impl ApiError {
    /// A 422 with one problem, at this JSON pointer.
    pub(super) fn invalid(pointer: &str, code: &'static str, message: &str) -> Self {
        Self::Invalid(vec![Problem {
            pointer: pointer.to_owned(),
            code,
            message: message.to_owned(),
        }])
    }

    /// A 400 with one problem of the query.
    pub(super) fn invalid_query(pointer: &str, message: &str) -> Self {
        Self::InvalidQuery(vec![Problem {
            pointer: pointer.to_owned(),
            code: "invalid_query",
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
            | Self::InvalidQuery(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::UnknownTrackingId
            | Self::UnknownLane
            | Self::UnknownRepair
            | Self::UnknownRoute => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unfit(_) | Self::TooManyMatch(_) => StatusCode::CONFLICT,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotJson | Self::EncodedBody => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid(_) | Self::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Overloaded => StatusCode::TOO_MANY_REQUESTS,
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
            Self::InvalidQuery(_) => "invalid_query",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::UnknownTrackingId => "unknown_tracking_id",
            Self::UnknownLane => "unknown_lane",
            Self::UnknownRepair => "unknown_repair",
            Self::TooManyMatch(_) => "too_many_match",
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
            Self::Panicked => "internal_error",
            Self::Unavailable(_) => "database_unavailable",
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut report = ErrorReport::new(self.status(), self.code(), &self);
        if let Self::BrokenJson(error) = &self {
            let (line, column) = (error.line(), error.column());
            report.detail = format!("{self} It breaks at line {line}, column {column}.");
        }
        if matches!(self, Self::Unauthorized) {
            report.challenge = Some("ApiKey header=\"X-Internal-Token\"");
        }
        if let Self::Invalid(problems) | Self::InvalidQuery(problems) = self {
            report.problems = problems;
        }
        report.into_response()
    }
}

type PanicToResponse = fn(Box<dyn Any + Send>) -> Response;

/// Turns a panic into [`ApiError::Panicked`]. Routes that render their own errors add this layer inside their rendering
/// layer. A panic skips all layers until this one catches it, so a rendering layer further inside would not see the
/// error.
pub(super) fn catch_panics() -> CatchPanicLayer<PanicToResponse> {
    CatchPanicLayer::custom(|_| ApiError::Panicked.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes are part of the API: changing a line here breaks callers.
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
            (ApiError::InvalidQuery(Vec::new()), 400, "invalid_query"),
            (ApiError::Unauthorized, 401, "unauthorized"),
            (ApiError::Forbidden("ops"), 403, "forbidden"),
            (ApiError::UnknownTrackingId, 404, "unknown_tracking_id"),
            (ApiError::UnknownRoute, 404, "unknown_route"),
            (ApiError::UnknownRepair, 404, "unknown_repair"),
            (ApiError::TooManyMatch(String::new()), 409, "too_many_match"),
            (Unfit::NotOnHold.into(), 409, "operation_not_on_hold"),
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
