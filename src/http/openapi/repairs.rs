//! Operators: repairs, which are one action on all operations that match.

use serde_json::{Map, Value, json};

use super::{
    endpoint::{Endpoint, Row},
    lists::conditions,
    operators::{acts, because, reads, reason},
    parameters::{path, uuid},
    schemas::{Schemas, object, or_null, time, word},
};
use crate::{
    http::{api_error::ApiError, operators::RepairsBody},
    store::{Preview, RepairReport},
};

/// The routes of repairs.
pub(super) const TABLE: &[Row] = &[
    ("GET /fineract/repairs", list),
    ("POST /fineract/repairs", start),
    ("GET /fineract/repairs/{id}", show),
    ("POST /fineract/repairs/{id}/stop", stop),
];

fn list(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<RepairsBody>();
    reads(
        "listRepairs",
        "List repairs",
        "Lists the newest 100 repairs.",
    )
    .answers(200, "The repairs.", body, Value::Null)
}

fn start(schemas: &mut Schemas<'_>) -> Endpoint {
    let filter = conditions().into_iter();
    let filter: Map<String, Value> = filter
        .map(|(name, schema)| (name.to_owned(), with_booleans(schema)))
        .collect();
    let actions = ["retry", "cancel", "hold", "release", "resolve"];
    let dry_run = "Whether to show only what the repair would do.";
    let expected =
        "How many operations the preview showed. If many more match now, the repair is refused.";
    let named = "Operations to include although they would be left out.";
    let until = time("Replaces the time until which the operations may be sent; only for `retry`.");
    let request = object([
        ("action", word(&actions, "What to do with each operation.")),
        (
            "filter",
            json!({
                "type": "object", "properties": filter, "additionalProperties": false, "minProperties": 1,
                "description": "The conditions of a list, as texts.",
            }),
        ),
        ("reason", reason()),
        (
            "dry_run",
            json!({ "type": "boolean", "description": dry_run }),
        ),
        (
            "expected?",
            json!({ "type": ["integer", "null"], "minimum": 0, "description": expected }),
        ),
        (
            "named?",
            json!({
                "type": "array", "items": { "type": "string", "format": "uuid" }, "description": named,
            }),
        ),
        (
            "outcome?",
            or_null(word(
                &["succeeded", "failed"],
                "How the operations ended; only for `resolve`.",
            )),
        ),
        (
            "nothing_waits?",
            json!({ "type": "boolean", "description": "Only for `resolve`." }),
        ),
        ("expires_at?", or_null(until)),
    ]);
    let preview = schemas.of::<Preview>();
    let report = schemas.of::<RepairReport>();
    let example = json!({ "example": {
        "action": "retry", "filter": { "state": "failed", "reason_code": "refused" }, "reason": "the product was missing",
        "dry_run": true,
    }});
    acts(
        "startRepair",
        "One action on all that match",
        "With `dry_run`, shows what the repair would do. Without it, the gateway stores the operations and acts on one after \
         the other in the background, on each at most once, and on none that has changed since then.",
    )
    .takes_json(request, example)
    .answers(200, "What the repair would do.", preview, Value::Null)
    .answers(202, "The repair is started.", report, Value::Null)
    .refuses([ApiError::TooManyMatch("More operations match than were expected.".to_owned())])
}

/// A filter has `true` and `false` as texts, like a query, or as they are shown in a repair.
fn with_booleans(mut schema: Value) -> Value {
    if schema.get("enum") == Some(&json!(["true", "false"]))
        && let Some(members) = schema.as_object_mut()
    {
        members.insert("type".to_owned(), json!(["string", "boolean"]));
        members.insert("enum".to_owned(), json!(["true", "false", true, false]));
    }
    schema
}

fn show(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<RepairReport>();
    reads(
        "showRepair",
        "One repair",
        "Shows a repair, and the first 100 operations that were not done.",
    )
    .parameter(path("id", uuid("The id of the repair.")))
    .answers(200, "The repair.", body, Value::Null)
    .refuses([ApiError::UnknownRepair])
}

fn stop(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<RepairReport>();
    acts(
        "stopRepair",
        "Stop a repair",
        "What it has done stays done.",
    )
    .parameter(path("id", uuid("The id of the repair.")))
    .takes_json(object([("reason", reason())]), because())
    .answers(200, "The repair.", body, Value::Null)
    .refuses([ApiError::UnknownRepair])
}
