//! Bulk.

use serde_json::{Value, json};

use super::{
    endpoint::{Endpoint, Row},
    examples::{example, one},
    parameters::query,
    payload::any_operation,
    refusals::{Form, common, of_body},
    schemas::{Schemas, object, or_null, text, time, word},
    security::Credential,
};
use crate::{
    domain::RetryEligible,
    http::{
        api_error::ApiError,
        bulk::{BatchBody, CancelBody, Envelope, RetryBody, StatusBody, refusals},
    },
    store::RowStatus,
};

/// The routes of bulk.
pub(super) const TABLE: &[Row] = &[
    ("POST /bulk/schedule", schedule),
    ("POST /bulk/status", status),
    ("POST /bulk/retry", retry),
    ("POST /bulk/cancel", cancel),
];

const REFERENCE: &str = "Your name for the batch.";
const NDJSON: &str = "application/x-ndjson";

/// A route of bulk, with the errors that all of them have.
fn endpoint(id: &'static str, summary: &'static str, description: &'static str) -> Endpoint {
    Endpoint::new(id, summary, description)
        .with(Credential::BulkClient)
        .renders(Form::Bulk)
        .refuses(common().into_iter().skip(1))
}

fn name(description: &str) -> Value {
    text(255, description)
}

/// A parameter that only a table uses. With a JSON body, the gateway ignores it, whatever it is, so its schema
/// permits any text.
fn of_table(key: &str, description: &str) -> Value {
    query(key, json!({ "type": "string", "description": description }))
}

fn schedule(schemas: &mut Schemas<'_>) -> Endpoint {
    let consent_id = or_null(name(
        "Your name for the row. Without it, the row has the UUID of its operation.",
    ));
    let row = any_operation("Row", &[("consent_id", consent_id)], schemas);
    let row = schemas.add("Row", row);
    let member = || or_null(json!({ "type": "string" }));
    let config = object([
        ("fiDataRangeFrom?", member()),
        ("fiDataRangeTo?", member()),
        ("configId?", member()),
    ]);
    let accept = "`valid`: the valid rows run, and the others are failed rows of the batch. `all`: if any row is not valid, \
                  nothing is accepted.";
    let upload = object([
        ("reference_id", name(REFERENCE)),
        ("file_name?", or_null(name("The name of your file."))),
        ("global_config?", or_null(config)),
        ("accept?", or_null(word(&["all", "valid"], accept))),
        (
            "operations",
            json!({ "type": "array", "minItems": 1, "items": row }),
        ),
    ]);
    let upload = schemas.add("Batch", upload);
    let body = schemas.of::<BatchBody>();
    let lines = json!({ "type": "string", "description": "One row of `operations` per line." });
    let csv = "A header row with `status`, optionally `consent_id` and `expires_at`, and the keys of `data`; then one row per \
               operation. UTF-8 with commas, as RFC 4180 says.";
    endpoint(
        "scheduleBatch",
        "Send a batch",
        "Accepts many operations as a whole, after all rows have been checked. Rows on one client or one loan run in the \
         order of the file. The same body under the same `reference_id` is answered with the same batch. For NDJSON and CSV, \
         the members besides `operations` are parameters of the query.",
    )
    .parameters([
        of_table("reference_id", "For NDJSON and CSV: your name for the batch."),
        of_table("file_name", "For NDJSON and CSV: the name of your file."),
        of_table("accept", "For NDJSON and CSV: `all` or `valid`, which rows to accept."),
    ])
    .takes_json(upload, one("/bulk/schedule"))
    .takes(NDJSON, lines, Value::Null)
    .takes("text/csv", json!({ "type": "string", "description": csv }), Value::Null)
    .answers(202, "The batch is accepted.", body.clone(), one("/bulk/accepted"))
    .answers(200, "The batch was accepted earlier.", body, one("/bulk/accepted"))
    .headers(200, &["Idempotency-Replayed"])
    .refuses(refusals::of_upload())
    .refuses([ApiError::Overloaded])
}

fn status(schemas: &mut Schemas<'_>) -> Endpoint {
    let words = RowStatus::ALL.map(RowStatus::as_str);
    let eligible = RetryEligible::ALL.map(RetryEligible::as_str);
    let statuses =
        json!({ "type": ["array", "null"], "items": { "type": "string", "enum": words } });
    let eligible: Vec<&str> = eligible.into_iter().chain([""]).collect();
    let filters = object([
        ("status?", statuses),
        (
            "retry_eligible?",
            or_null(word(&eligible, "Whether the row may be sent again.")),
        ),
        (
            "search?",
            or_null(json!({
                "type": "string", "pattern": "^[^\\x00]*$",
                "description": "A part of the consent id, the tracking id, the external id or the error.",
            })),
        ),
    ]);
    let number = |least: u32, most: u32, description: &str| json!({ "type": ["integer", "null"], "minimum": least, "maximum": most, "description": description });
    let request = object([
        ("reference_id", name(REFERENCE)),
        ("page?", number(1, u32::MAX, "The page, from 1 on (1).")),
        (
            "limit?",
            number(1, 1_000, "How many rows a page has (100)."),
        ),
        ("filters?", or_null(filters)),
        (
            "include_balances?",
            json!({
                "type": ["boolean", "null"], "description": "Adds the accounts in Fineract, as they are now.",
            }),
        ),
    ]);
    let body = schemas.of::<Envelope<StatusBody>>();
    endpoint(
        "readBatch",
        "Watch a batch",
        "Shows the state of a batch, and one page of its rows. `filters` select rows; they do not change `summary`.",
    )
    .takes_json(request, one("/bulk/status"))
    .answers(200, "The batch.", body, example("/bulk/status_answers"))
    .headers(200, &["Warning"])
    .refuses(of_body())
    .refuses(refusals::of_batch())
}

fn retry(schemas: &mut Schemas<'_>) -> Endpoint {
    let number = || json!({ "type": "integer", "minimum": i32::MIN, "maximum": i32::MAX });
    let until = || or_null(time("Until when the rows may be sent."));
    let modification = object([
        ("id", number()),
        (
            "status?",
            or_null(
                json!({ "type": "string", "description": "Only for a row without a known type." }),
            ),
        ),
        (
            "data",
            json!({ "description": "The complete new data of the row." }),
        ),
        ("expires_at?", until()),
    ]);
    let request = object([
        ("reference_id", name(REFERENCE)),
        (
            "records?",
            json!({
                "type": ["array", "null"], "items": number(),
                "description": "The numbers of the rows. Without it: all failed rows.",
            }),
        ),
        (
            "modifications?",
            json!({ "type": ["array", "null"], "items": modification }),
        ),
        ("expires_at?", until()),
    ]);
    let body = schemas.of::<RetryBody>();
    let csv = "A column `id` with the number of the row in the batch, and the keys of `data`.";
    endpoint(
        "retryBatch",
        "Send failed rows again",
        "Accepts a new operation for each failed row that may be sent again. The answer says which rows are sent again, and \
         why the others are not.",
    )
    .parameters([
        of_table("reference_id", "For CSV: your name for the batch."),
        of_table("expires_at", "For CSV: until when the rows may be sent, a time with its offset."),
        of_table("allow_other_ids", "For CSV: `true` if rows may name other clients or loans."),
    ])
    .takes_json(request, example("/bulk/retry"))
    .takes("text/csv", json!({ "type": "string", "description": csv }), Value::Null)
    .answers(202, "Rows are sent again.", body.clone(), one("/bulk/retried"))
    .answers(200, "No row is sent again.", body, Value::Null)
    .refuses(refusals::of_retry())
    .refuses([ApiError::Overloaded])
}

fn cancel(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<CancelBody>();
    endpoint(
        "cancelBatch",
        "Stop a batch",
        "Ends the rows for which nothing was sent as failed. They can be sent again later. Rows that were sent continue.",
    )
    .takes_json(object([("reference_id", name(REFERENCE))]), one("/bulk/cancel"))
    .answers(200, "The batch after the cancel.", body, Value::Null)
    .refuses(of_body())
    .refuses(refusals::of_batch())
}
