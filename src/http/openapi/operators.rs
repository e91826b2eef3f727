//! Operators: one operation, and one lane.

use chrono::NaiveDate;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    endpoint::{Endpoint, Row},
    parameters::{number, operation_id, path},
    refusals::{common, of_body},
    schemas::{Schemas, object, or_null, text, time, word},
    security::Credential,
};
use crate::{
    domain::{OperationId, OperationType, Scope, TrackingId},
    http::{
        api_error::ApiError,
        operators::{ActionBody, ConfirmedBody, InspectBody},
    },
    store::{LaneStory, TrackingName, Unfit},
};

/// The routes about one operation or one lane.
pub(super) const TABLE: &[Row] = &[
    ("GET /fineract/operations/{id}", inspect),
    ("POST /fineract/operations/{id}/retry", retry),
    ("POST /fineract/operations/{id}/cancel", cancel),
    ("POST /fineract/operations/{id}/hold", hold),
    ("POST /fineract/operations/{id}/release", release),
    ("POST /fineract/operations/{id}/resolve", resolve),
    ("GET /fineract/lanes/{lane}", lane),
    ("POST /fineract/lanes/{lane}/number", confirm_number),
];

/// A route with which operators read.
pub(super) fn reads(
    id: &'static str,
    summary: &'static str,
    description: &'static str,
) -> Endpoint {
    Endpoint::new(id, summary, description)
        .with(Credential::Operator(Scope::OpsRead))
        .refuses(common())
}

/// A route with which operators act. Its body is JSON.
pub(super) fn acts(id: &'static str, summary: &'static str, description: &'static str) -> Endpoint {
    Endpoint::new(id, summary, description)
        .with(Credential::Operator(Scope::Ops))
        .refuses(common())
        .refuses(of_body())
}

/// The reason for an action.
pub(super) fn reason() -> Value {
    text(
        1_000,
        "Why you do this, without personal data. The audit shows it.",
    )
}

/// The example of a body with nothing but a reason.
pub(super) fn because() -> Value {
    json!({ "example": { "reason": "seen in Fineract: not booked" } })
}

/// What is impossible in some states of an operation.
fn unfit(reasons: impl IntoIterator<Item = Unfit>) -> Vec<ApiError> {
    let errors = reasons.into_iter().map(ApiError::from);
    errors
        .chain([
            ApiError::MalformedTrackingId,
            ApiError::UnknownTrackingId,
            ApiError::Dropped {
                on: NaiveDate::default(),
            },
        ])
        .collect()
}

fn inspect(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<InspectBody>();
    reads(
        "inspectOperation",
        "Everything about one operation",
        "Shows everything that the gateway has recorded about an operation. Without the scope `ops.pii`, personal data is \
         masked (`\"***\"`).",
    )
    .parameter(path("id", operation_id()))
    .answers(200, "The operation.", body, Value::Null)
    .refuses(unfit([]))
}

/// An action on one operation.
fn action(
    (id, summary, description): (&'static str, &'static str, &'static str),
    status: u16,
    request: Value,
    schemas: &mut Schemas<'_>,
) -> Endpoint {
    let body = schemas.of::<ActionBody>();
    acts(id, summary, description)
        .parameter(path("id", operation_id()))
        .takes_json(request, because())
        .answers(status, "The action is done.", body, Value::Null)
        .headers(status, &["Location"])
}

fn retry(schemas: &mut Schemas<'_>) -> Endpoint {
    let until = time("Replaces the time until which the operation may be sent.");
    let request = object([("reason", reason()), ("expires_at?", or_null(until))]);
    let words = (
        "retryOperation",
        "Run an operation again",
        "Continues a parked operation, or accepts a failed one again as a new operation (`retry_of` is the failed one).",
    );
    let retried = Unfit::Retried(TrackingName::from(TrackingId {
        operation_type: OperationType::LoanCreate,
        id: OperationId(Uuid::nil()),
    }));
    action(words, 202, request, schemas).refuses(unfit([
        Unfit::Ended,
        Unfit::UnderWay,
        Unfit::NotParked,
        Unfit::Expired,
        Unfit::Erased,
        retried,
    ]))
}

fn cancel(schemas: &mut Schemas<'_>) -> Endpoint {
    let words = (
        "cancelOperation",
        "Cancel an operation",
        "Ends an operation for which no command was ever sent. The operations that depend on it fail too.",
    );
    action(words, 200, object([("reason", reason())]), schemas).refuses(unfit([
        Unfit::Running,
        Unfit::Sent,
        Unfit::Ended,
    ]))
}

fn hold(schemas: &mut Schemas<'_>) -> Endpoint {
    let words = (
        "holdOperation",
        "Put an operation on hold",
        "The operation keeps its place in its lane, so the operations behind it wait too.",
    );
    action(words, 200, object([("reason", reason())]), schemas).refuses(unfit([
        Unfit::Running,
        Unfit::Parked,
        Unfit::Ended,
    ]))
}

fn release(schemas: &mut Schemas<'_>) -> Endpoint {
    let words = (
        "releaseOperation",
        "Release an operation that is on hold",
        "The operation runs as soon as the operations before it allow.",
    );
    action(words, 200, object([("reason", reason())]), schemas).refuses(unfit([
        Unfit::Running,
        Unfit::Parked,
        Unfit::Ended,
    ]))
}

fn resolve(schemas: &mut Schemas<'_>) -> Endpoint {
    let note = json!({ "type": ["string", "null"], "maxLength": 1_000, "description": "Further remarks." });
    let nothing_waits = "Whether you have made sure that no command waits for a checker.";
    let request = object([
        (
            "outcome",
            word(
                &["succeeded", "failed"],
                "How the operation ended in Fineract.",
            ),
        ),
        ("reason", reason()),
        ("note?", note),
        (
            "nothing_waits?",
            json!({ "type": "boolean", "description": nothing_waits }),
        ),
    ]);
    let words = (
        "resolveOperation",
        "Say how a parked operation ended",
        "A worker reads Fineract. If Fineract does not contradict you, the operation ends; otherwise it is parked again. \
         Nothing is sent that Fineract would execute.",
    );
    let example =
        json!({ "example": { "outcome": "failed", "reason": "seen in Fineract: not booked" } });
    action(words, 202, request.clone(), schemas)
        .takes_json(request, example)
        .refuses(unfit([Unfit::NotParked]))
}

/// The lane in a path.
fn lane_name() -> Value {
    json!({
        "type": "string",
        "description": "`client:` or `loan:`, and the external id in lower case.",
        "examples": ["loan:loan-123"],
    })
}

fn lane(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<LaneStory>();
    reads(
        "showLane",
        "The story of a client or a loan",
        "The newest 500 operations that write or read the lane, in its order.",
    )
    .parameter(path("lane", lane_name()))
    .answers(200, "The lane.", body, Value::Null)
    .refuses([ApiError::UnknownLane])
}

fn confirm_number(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<ConfirmedBody>();
    let request = object([
        (
            "number",
            number(i64::MIN, i64::MAX, "The number in Fineract."),
        ),
        (
            "external_id",
            text(
                1_000,
                "The external id that Fineract shows under this number now.",
            ),
        ),
        ("reason", reason()),
    ]);
    acts(
        "confirmNumber",
        "Confirm what a number means",
        "Records that a number still refers to the client or loan of a lane, although the back office has changed its \
         external id in Fineract.",
    )
    .parameter(path("lane", lane_name()))
    .takes_json(request, Value::Null)
    .answers(200, "The number is confirmed.", body, Value::Null)
    .refuses([ApiError::UnknownLane])
}
