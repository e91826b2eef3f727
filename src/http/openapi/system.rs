//! Operators: the system as a whole.

use serde_json::{Value, json};

use super::{
    endpoint::{Endpoint, Row},
    operators::{acts, because, reads, reason},
    parameters::number,
    schemas::{Schemas, object, or_null, time, word},
};
use crate::{
    domain::OperationType,
    http::api_error::ApiError,
    http::operators::{HoldBody, StatusBody},
    store::{BooksReport, NewEpoch, Released, Unfit},
};

/// The routes about the system as a whole.
pub(super) const TABLE: &[Row] = &[
    ("GET /fineract/status", status),
    ("GET /fineract/hold", show_hold),
    ("POST /fineract/hold/release", release),
    ("POST /fineract/hold/end", end_hold),
    ("GET /fineract/books", books),
    ("POST /fineract/books/epochs", confirm_books),
];

fn status(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<StatusBody>();
    reads(
        "showStatus",
        "The state of the system",
        "Shows Fineract, the queue, what is parked or on hold, the database, and the gateways that run.",
    )
    .answers(200, "The state.", body, Value::Null)
}

fn show_hold(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<HoldBody>();
    reads(
        "showHold",
        "What is on hold",
        "Shows the active hold of everything, and how many operations are on hold.",
    )
    .answers(200, "What is on hold.", body, Value::Null)
}

fn release(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<Released>();
    let types: Vec<&str> = OperationType::ALL
        .iter()
        .map(|known| known.as_str())
        .collect();
    let name =
        |description: &str| json!({ "type": ["string", "null"], "description": description });
    let limit = json!({
        "type": ["integer", "null"], "minimum": 1, "maximum": 100_000,
        "description": "How many operations to release at most (10000).",
    });
    let request = object([
        ("reason", reason()),
        (
            "all?",
            json!({ "type": "boolean", "description": "Release all, without a condition." }),
        ),
        ("limit?", limit),
        ("type?", or_null(word(&types, "The operation type."))),
        ("lender?", name("The lender.")),
        ("lane?", name("The lane.")),
        (
            "accepted_after?",
            or_null(time("Accepted at this time or later.")),
        ),
        (
            "accepted_before?",
            or_null(time("Accepted before this time.")),
        ),
        (
            "sent?",
            json!({ "type": ["boolean", "null"], "description": "Whether an attempt was ever committed." }),
        ),
    ]);
    acts(
        "releaseHeldOperations",
        "Release operations after everything was put on hold",
        "Releases the operations that match all conditions. The body has either a condition or `\"all\": true`.",
    )
    .takes_json(request, json!({ "example": { "reason": "compared with Fineract", "type": "LOAN_CREATE" } }))
    .answers(200, "How many were released.", body, Value::Null)
}

fn end_hold(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<HoldBody>();
    acts(
        "endHold",
        "End the hold of everything",
        "Operations that are accepted from now on run. Those on hold stay on hold.",
    )
    .takes_json(object([("reason", reason())]), because())
    .answers(200, "What is still on hold.", body, Value::Null)
    .refuses([ApiError::from(Unfit::NoHold)])
}

fn books(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<BooksReport>();
    reads(
        "showBooks",
        "Fineract's books",
        "Shows the epoch of Fineract's books, and the numbers that two lanes have.",
    )
    .answers(200, "The books.", body, Value::Null)
}

fn confirm_books(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<NewEpoch>();
    let request = object([
        (
            "epoch",
            number(
                i32::MIN.into(),
                i32::MAX.into(),
                "The epoch that ends, as `GET /fineract/books` shows it.",
            ),
        ),
        ("reason", reason()),
    ]);
    acts(
        "confirmBooks",
        "Confirm that Fineract's books have changed",
        "Begins a new epoch. Operations that were sent to the earlier books are parked.",
    )
    .takes_json(request, Value::Null)
    .answers(200, "The new epoch.", body, Value::Null)
    .refuses([ApiError::from(Unfit::OtherEpoch)])
}
