//! Operate and track.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::{
    endpoint::{Endpoint, Row},
    examples::{example, one},
    parameters::{header, path, tracking_id},
    payload::any_operation,
    refusals::{Form, common, of_body},
    schemas::{Schemas, object},
    security::Credential,
};
use crate::http::{
    access::{AccessError, NotPermitted},
    api_error::ApiError,
    track::TrackBody,
    track_many::{MOST, ManyBody},
};

/// The routes of operate and track.
pub(super) const TABLE: &[Row] = &[
    ("POST /fineract/operate", operate),
    ("GET /fineract/track/{tracking_id}", track),
    ("POST /fineract/track", track_many),
];

fn operate(schemas: &mut Schemas<'_>) -> Endpoint {
    let operation = any_operation("", &[], schemas);
    let operation = schemas.add("Operation", operation);
    let tracked = schemas.of::<TrackBody>();
    let accepted = "Accepted: the operation is committed. The gateway runs it as soon as the operations before it allow.";
    let repeated = "The operation has ended within the time of `Prefer: wait`, or an operation was accepted earlier under \
                    the same `Idempotency-Key`.";
    Endpoint::new(
        "submitOperation",
        "Send an operation",
        "Commits one operation to the gateway's queue, and answers without waiting for Fineract. Operations on one client or \
         one loan run in the order in which they were accepted, so all steps of a loan may be sent at once.",
    )
    .with(Credential::Caller)
    .parameters([
        header("Idempotency-Key"),
        header("Prefer"),
        header("traceparent"),
    ])
    .takes_json(operation, example("/operate"))
    .answers(202, accepted, tracked.clone(), one("/track/processing"))
    .headers(202, &["Location", "Retry-After", "Preference-Applied"])
    .answers(200, repeated, tracked, example("/track"))
    .headers(200, &["Location", "Retry-After", "Preference-Applied", "Idempotency-Replayed"])
    .refuses(common())
    .refuses(of_body())
    .refuses([
        ApiError::InvalidIdempotencyKey,
        ApiError::IdempotencyKeyReused,
        ApiError::Overloaded,
        ApiError::Dropped {
            on: NaiveDate::default(),
        },
        AccessError::NotPermitted(NotPermitted::Type).into(),
        AccessError::NotPermitted(NotPermitted::Lender).into(),
    ])
}

fn track(schemas: &mut Schemas<'_>) -> Endpoint {
    let tracked = schemas.of::<TrackBody>();
    let id = path("tracking_id", tracking_id());
    Endpoint::new(
        "trackOperation",
        "Ask for the result of an operation",
        "Answers `processing` until the operation has ended, and then always the same result. Ask again every 2 to 3 \
         seconds, or use `Prefer: wait`. Temporary errors have the body of an operation that is still running, so that a \
         loop that asks until the status is no longer `processing` goes on.",
    )
    .with(Credential::Caller)
    .parameters([id, header("Prefer")])
    .answers(200, "The operation.", tracked, example("/track"))
    .headers(200, &["Preference-Applied"])
    .renders(Form::Track)
    .refuses(common())
    .refuses([
        ApiError::MalformedTrackingId,
        ApiError::UnknownTrackingId,
        ApiError::Dropped { on: NaiveDate::default() },
    ])
}

fn track_many(schemas: &mut Schemas<'_>) -> Endpoint {
    let answer = schemas.of::<ManyBody>();
    let ids = json!({
        "type": "array", "minItems": 1, "maxItems": MOST, "items": any_tracking_id(),
        "description": "The tracking ids of the operations. An id of a type that this gateway does not know is permitted.",
    });
    Endpoint::new(
        "trackOperations",
        "Ask for the results of many operations",
        "Answers for each operation what track answers for one.",
    )
    .with(Credential::Caller)
    .takes_json(object([("tracking_ids", ids)]), one("/track_many/request"))
    .answers(
        200,
        "The operations, in the order of the request.",
        answer,
        one("/track_many/answer"),
    )
    .refuses(common())
    .refuses(of_body())
}

/// A tracking id whose type a newer gateway may know.
fn any_tracking_id() -> Value {
    json!({
        "type": "string",
        "pattern": "^[^|]*\\|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
    })
}
