//! The errors of operate, track and the operators' routes, and the errors that all routes share.

mod from;
mod panics;

use axum::{
    BoxError,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::NaiveDate;

use crate::{
    http::{access::AccessError, error::ErrorReport},
    operations::Problem,
    store::{StoreError, Unfit},
};

pub(super) use self::panics::catch_panics;

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
    /// The query of the event feed has an unknown parameter or a wrong value.
    #[error(
        "The query may contain after (a cursor, or now), limit (1 to 500) and wait (0 to 50 seconds)."
    )]
    InvalidEventQuery,
    /// The cursor of the operators' stream of events is not a number, or the query has an unknown parameter.
    #[error(
        "Last-Event-ID and after must be the number of an event; the query may contain nothing else."
    )]
    InvalidStreamQuery,
    /// Events after the cursor have been deleted because of their age.
    #[error(
        "Events after this cursor have been deleted because of their age; the oldest events follow the cursor {oldest}."
    )]
    EventsDeleted {
        /// The cursor before the oldest events.
        oldest: i64,
    },
    /// The process has too many streams of events, or the operator has.
    #[error(
        "This gateway serves too many streams of events, in all or to you; poll, or try again later."
    )]
    TooManyStreams,
    /// The headers of the bulk client are wrong.
    #[error(
        "X-Internal-Token, or the four headers of a bulk client, must belong to one known caller."
    )]
    UnknownEventOwner,
    /// The token is missing or unknown.
    #[error("X-Internal-Token is missing or not known.")]
    Unauthorized,
    /// The credential is known, but does not have this scope.
    #[error("This route requires the scope {0}.")]
    Forbidden(&'static str),
    /// Another error about the credential.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The form was not made by a page of this gateway for this visitor, or the visitor has signed in since.
    #[error(
        "This form is too old, or it is not from this page. Load the page again and repeat what you did."
    )]
    ForeignForm,
    /// The fields of a form are not those of the page.
    #[error("The form lacks a field, or a field has a wrong value.")]
    InvalidForm,
    /// No operator has this name and secret.
    #[error("No operator has this name and secret.")]
    UnknownOperator,
    /// The sign-in link does not work, or does not work any more.
    #[error(
        "This sign-in link was used already, or it is older than 15 minutes. Ask for a new one."
    )]
    UsedLink,
    /// No operation has this id and type.
    #[error("There is no operation with this tracking id.")]
    UnknownTrackingId,
    /// The operation ended long ago, and its data was dropped.
    #[error("This operation ended long ago. Its data was dropped on {on}.")]
    Dropped {
        /// The day (UTC).
        on: NaiveDate,
    },
    /// The gateway has never accepted an operation in this lane.
    #[error("There is no such lane.")]
    UnknownLane,
    /// No batch has this id.
    #[error("There is no batch with this id.")]
    UnknownBatch,
    /// No repair has this id.
    #[error("There is no repair with this id.")]
    UnknownRepair,
    /// The owner has no endpoint of webhooks with this id.
    #[error("You have no webhook endpoint with this id.")]
    UnknownWebhook,
    /// The owner has no delivery with this id.
    #[error("You have no webhook delivery with this id.")]
    UnknownDelivery,
    /// The owner has as many endpoints as it may have.
    #[error("You have 20 webhook endpoints: remove one first.")]
    TooManyWebhooks,
    /// The endpoint is disabled.
    #[error("This webhook endpoint is disabled: enable it first.")]
    WebhookDisabled,
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
    #[error("The body is larger than {} KiB.", limit / 1024)]
    BodyTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
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
            | Self::InvalidEventQuery
            | Self::InvalidStreamQuery
            | Self::InvalidForm
            | Self::InvalidQuery(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized | Self::UnknownEventOwner => StatusCode::UNAUTHORIZED,
            Self::Access(error) => error.status(),
            Self::Forbidden(_) | Self::ForeignForm | Self::UnknownOperator => StatusCode::FORBIDDEN,
            Self::UnknownTrackingId
            | Self::UnknownLane
            | Self::UnknownRepair
            | Self::UnknownBatch
            | Self::UnknownWebhook
            | Self::UnknownDelivery
            | Self::UsedLink
            | Self::UnknownRoute => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unfit(_)
            | Self::TooManyMatch(_)
            | Self::TooManyWebhooks
            | Self::WebhookDisabled => StatusCode::CONFLICT,
            Self::EventsDeleted { .. } | Self::Dropped { .. } => StatusCode::GONE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotJson | Self::EncodedBody => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid(_) | Self::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Overloaded => StatusCode::TOO_MANY_REQUESTS,
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable(_) | Self::TooManyStreams => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The stable name that callers may rely on.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::BrokenJson(_) => "broken_json",
            Self::UnreadableBody(_) => "unreadable_body",
            Self::InvalidIdempotencyKey => "invalid_idempotency_key",
            Self::MalformedTrackingId => "malformed_tracking_id",
            Self::InvalidQuery(_) | Self::InvalidEventQuery | Self::InvalidStreamQuery => {
                "invalid_query"
            }
            Self::EventsDeleted { .. } => "events_deleted",
            Self::TooManyStreams => "too_many_streams",
            Self::Unauthorized | Self::UnknownEventOwner => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::Access(error) => error.code(),
            Self::ForeignForm => "foreign_form",
            Self::InvalidForm => "invalid_form",
            Self::UnknownOperator => "unknown_operator",
            Self::UsedLink => "used_link",
            Self::UnknownTrackingId => "unknown_tracking_id",
            Self::Dropped { .. } => "operation_dropped",
            Self::UnknownLane => "unknown_lane",
            Self::UnknownRepair => "unknown_repair",
            Self::UnknownBatch => "unknown_batch",
            Self::UnknownWebhook => "unknown_webhook",
            Self::UnknownDelivery => "unknown_delivery",
            Self::TooManyWebhooks => "too_many_webhooks",
            Self::WebhookDisabled => "webhook_disabled",
            Self::TooManyMatch(_) => "too_many_match",
            Self::UnknownRoute => "unknown_route",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Unfit(unfit) => unfit.code(),
            Self::BodyTooSlow => "body_too_slow",
            Self::BodyTooLarge { .. } => "body_too_large",
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
        if let Self::BrokenJson(error) = &self
            && error.line() > 0
        {
            let (line, column) = (error.line(), error.column());
            report.detail = format!("{self} It breaks at line {line}, column {column}.");
        }
        if let Self::Access(error) = &self {
            report.retry_after = error.retry_after().or(report.retry_after);
        }
        if let Self::EventsDeleted { oldest } = self {
            report.oldest = Some(oldest);
        }
        if let Self::Dropped { on } = self {
            report.dropped_on = Some(on);
        }
        if matches!(self, Self::Unauthorized | Self::UnknownEventOwner) {
            report.challenge = Some("ApiKey header=\"X-Internal-Token\"");
        }
        if let Self::Invalid(problems) | Self::InvalidQuery(problems) = self {
            report.problems = problems;
        }
        report.into_response()
    }
}

#[cfg(test)]
mod tests;
