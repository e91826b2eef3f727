//! Operators: lists, counts and the audit.

use serde_json::{Value, json};

use super::{
    endpoint::{Endpoint, Row, media},
    operators::reads,
    parameters::{condition, number, query, uuid},
    schemas::{Schemas, time, word},
};
use crate::{
    http::{api_error::ApiError, operators::CountsBody},
    store::{AuditPage, CountBy, ListPage, Sort, StateFilter},
};

/// The routes of lists.
pub(super) const TABLE: &[Row] = &[
    ("GET /fineract/operations", list),
    ("GET /fineract/operations/counts", count),
    ("GET /fineract/audit", audit),
];

/// The conditions of a list. All that are given must be met.
pub(super) fn conditions() -> Vec<(&'static str, Value)> {
    let text = |description| super::schemas::text(200, description);
    let boolean = |description| word(&["true", "false"], description);
    let states = StateFilter::ALL.map(StateFilter::as_str);
    vec![
        ("state", word(&states, "The state, or a group of states.")),
        ("type", text("The operation type.")),
        ("lender", text("The lender of a `LOAN_CREATE`.")),
        ("caller", text("The name of the caller's token.")),
        (
            "reason_code",
            text("Why it is parked, blocked, retried or failed."),
        ),
        (
            "lane",
            text("The lane that it writes, such as `loan:loan-123`."),
        ),
        (
            "external_id",
            text("The external id of its client or loan."),
        ),
        ("batch", uuid("The UUID of its batch.")),
        (
            "q",
            text("A tracking id, a UUID, a UTR, or an external id or its beginning."),
        ),
        ("accepted_after", time("Accepted at this time or later.")),
        ("accepted_before", time("Accepted before this time.")),
        ("ended_after", time("Ended at this time or later.")),
        ("ended_before", time("Ended before this time.")),
        ("sent", boolean("Whether an attempt was ever committed.")),
        (
            "retried",
            boolean("Whether another operation runs this failed one again."),
        ),
    ]
}

/// The parameters of lists and of counts. Both accept them all, because a link to one is made from a link to the other.
fn parameters() -> Vec<Value> {
    let cursor = json!({
        "type": "string", "pattern": "^[0-9]+_[0-9a-fA-F-]{36}$", "description": "The `next_cursor` of the page before.",
    });
    let by = "By what operations are counted (`state`).";
    let further = [
        (
            "sort",
            word(
                &Sort::ALL.map(Sort::as_str),
                "The order. Without it, the index that serves the conditions decides.",
            ),
        ),
        (
            "limit",
            number(1, 1_000, "How many operations a page has at most (100)."),
        ),
        ("cursor", cursor),
        ("by", word(&CountBy::ALL.map(CountBy::as_str), by)),
    ];
    let all = conditions().into_iter().chain(further);
    all.map(|(name, schema)| query(name, schema)).collect()
}

/// A whole list as CSV.
fn csv() -> Value {
    let description = "The whole list as CSV, at most 100,000 rows, if the header `Accept` asks for it. A cell that a \
                       spreadsheet would run as a formula begins with `'`.";
    media(
        json!({ "type": "string", "description": description }),
        Value::Null,
    )
}

fn list(schemas: &mut Schemas<'_>) -> Endpoint {
    let page = schemas.of::<ListPage>();
    reads(
        "listOperations",
        "List operations",
        "A page may have fewer operations than `limit`, or none, although there are more: the list is over when \
         `next_cursor` is null.",
    )
    .parameters(parameters())
    .answers(200, "A page of the list.", page, Value::Null)
    .answers_as(200, "A page of the list.", "text/csv", csv())
    .headers(200, &["Content-Disposition"])
    .refuses(of_list())
}

fn count(schemas: &mut Schemas<'_>) -> Endpoint {
    let counts = schemas.of::<CountsBody>();
    reads(
        "countOperations",
        "Count operations",
        "Counts the operations that match. A count ends at 10,000 examined operations or after 100 ms; its `text` then ends \
         with `+`.",
    )
    .parameters(parameters())
    .answers(200, "The counts.", counts, Value::Null)
    .refuses(of_list())
}

/// The errors of a list: parameters that are wrong, or that no index serves.
fn of_list() -> [ApiError; 2] {
    [
        ApiError::InvalidQuery(Vec::new()),
        ApiError::Invalid(Vec::new()),
    ]
}

fn audit(schemas: &mut Schemas<'_>) -> Endpoint {
    let page = schemas.of::<AuditPage>();
    reads(
        "listActions",
        "Who did what",
        "Lists the actions of operators, the newest one first.",
    )
    .parameters([
        condition("operator", "The name of the operator's token."),
        condition("action", "The action."),
        query("operation", uuid("The UUID of the operation.")),
        query("repair", uuid("The repair that acted.")),
        query("after", time("At this time or later.")),
        query("before", time("Before this time.")),
        query(
            "limit",
            number(1, 1_000, "How many actions a page has (100)."),
        ),
        query(
            "cursor",
            number(i64::MIN, i64::MAX, "The `next_cursor` of the page before."),
        ),
    ])
    .answers(200, "A page of the audit.", page, Value::Null)
    .answers_as(200, "A page of the audit.", "text/csv", csv())
    .headers(200, &["Content-Disposition"])
    .refuses([ApiError::InvalidQuery(Vec::new())])
}
