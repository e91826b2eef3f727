//! Webhooks: the endpoints of a caller, and what was delivered to them.

use serde_json::{Value, json};

use super::{
    endpoint::{Endpoint, Row},
    operators::reads,
    parameters::{number, path, query, uuid},
    refusals::{common, of_body},
    schemas::{Schemas, object, time, word},
    security::Credential,
};
use crate::{
    http::{
        api_error::ApiError,
        operators::WebhooksBody,
        webhooks::{
            DeliveriesBody, DeliveryId, EndpointBody, EndpointsBody, FASTEST, LARGEST_LIMIT,
            LONGEST_DESCRIPTION, LONGEST_OVERLAP_HOURS, LONGEST_URL, MOST_HEADERS,
            event_type_names,
        },
    },
    store::DeliveryState,
};

/// The routes of callers.
pub(super) const CALLERS: &[Row] = &[
    ("GET /webhooks/endpoints", list),
    ("POST /webhooks/endpoints", create),
    ("GET /webhooks/endpoints/{id}", show),
    ("PATCH /webhooks/endpoints/{id}", change),
    ("DELETE /webhooks/endpoints/{id}", remove),
    ("POST /webhooks/endpoints/{id}/rotate", rotate),
    ("POST /webhooks/endpoints/{id}/test", test),
    ("POST /webhooks/endpoints/{id}/recover", recover),
    ("GET /webhooks/deliveries", deliveries),
    ("POST /webhooks/deliveries/{id}/resend", resend),
];

/// The route of operators.
pub(super) const OPERATORS: &[Row] = &[("GET /fineract/webhooks", health)];

/// A route of whoever sends operations or batches.
fn owner(id: &'static str, summary: &'static str, description: &'static str) -> Endpoint {
    Endpoint::new(id, summary, description)
        .with(Credential::Caller)
        .with(Credential::BulkClient)
        .refuses([ApiError::UnknownEventOwner])
        .refuses(common().into_iter().skip(1))
}

/// A route about one endpoint.
fn one(id: &'static str, summary: &'static str, description: &'static str) -> Endpoint {
    owner(id, summary, description)
        .parameter(path("id", uuid("The id of the endpoint.")))
        .refuses([ApiError::UnknownWebhook])
}

/// The settings of an endpoint. `url`: the key of the URL, which ends with `?` if it may be missing.
fn settings(url: &str) -> Value {
    let types = event_type_names();
    object([
        (
            url,
            json!({
                "type": "string", "maxLength": LONGEST_URL, "format": "uri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://",
                "description": "Where deliveries are sent. It must not lead to a private address.",
            }),
        ),
        (
            "description?",
            json!({
                "type": "string", "maxLength": LONGEST_DESCRIPTION, "pattern": "^[^\\x00]*$",
                "description": "What you call it.",
            }),
        ),
        (
            "event_types?",
            json!({
                "type": ["array", "null"], "minItems": 1, "items": word(&types, "An event type."),
                "description": "The event types that it gets; null: all.",
            }),
        ),
        (
            "headers?",
            json!({
                "type": "object", "maxProperties": MOST_HEADERS, "additionalProperties": { "type": "string" },
                "description": "Headers of its own, such as `Authorization`. They are never shown again.",
            }),
        ),
        (
            "rate?",
            json!({
                "type": ["integer", "null"], "minimum": 1, "maximum": FASTEST,
                "description": "How many deliveries begin in a second at most; null: as many as it takes.",
            }),
        ),
        (
            "ordered?",
            json!({
                "type": "boolean",
                "description": "Whether an event of a loan or client is sent after the one before it was delivered (false).",
            }),
        ),
        (
            "thin?",
            json!({ "type": "boolean", "description": "Whether deliveries contain ids only (false)." }),
        ),
        (
            "enabled?",
            json!({ "type": "boolean", "description": "Whether it gets deliveries (true). Otherwise they wait." }),
        ),
    ])
}

fn list(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<EndpointsBody>();
    owner(
        "listWebhooks",
        "Your webhook endpoints",
        "Lists your endpoints.",
    )
    .answers(200, "The endpoints.", body, Value::Null)
}

fn create(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<EndpointBody>();
    let example = json!({ "example": {
        "url": "https://los.example.org/hooks/fineract",
        "event_types": ["operation.succeeded", "operation.failed"],
    } });
    owner(
        "createWebhook",
        "Create a webhook endpoint",
        "The gateway calls its URL with each of your events from now on, signed by the Standard Webhooks specification 1.0.0. \
         The answer has the key (`secret`), which is not shown again.",
    )
    .takes_json(settings("url"), example)
    .answers(201, "The endpoint with its key.", body, Value::Null)
    .headers(201, &["Location"])
    .refuses(of_body())
    .refuses([ApiError::TooManyWebhooks])
}

fn show(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<EndpointBody>();
    one("showWebhook", "A webhook endpoint", "Shows an endpoint.").answers(
        200,
        "The endpoint.",
        body,
        Value::Null,
    )
}

fn change(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<EndpointBody>();
    one(
        "changeWebhook",
        "Change a webhook endpoint",
        "Changes the settings that the body has. `\"enabled\": true` also ends a pause.",
    )
    .takes_json(settings("url?"), json!({ "example": { "enabled": true } }))
    .answers(200, "The endpoint.", body, Value::Null)
    .refuses(of_body())
}

fn remove(_: &mut Schemas<'_>) -> Endpoint {
    one(
        "removeWebhook",
        "Remove a webhook endpoint",
        "Removes an endpoint with its deliveries.",
    )
    .answers_nothing(204, "It is removed.")
}

fn rotate(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<EndpointBody>();
    let longest = i64::try_from(LONGEST_OVERLAP_HOURS).unwrap_or_default();
    let mut overlap = number(
        0,
        longest,
        "For how many hours deliveries also have a signature of each older key (24).",
    );
    if let Some(kind) = overlap.get_mut("type") {
        *kind = json!(["integer", "null"]);
    }
    one(
        "rotateWebhookSecret",
        "Give a webhook endpoint a new key",
        "The answer has the new key (`secret`), which is not shown again.",
    )
    .takes_json(
        object([("overlap_hours?", overlap)]),
        json!({ "example": {} }),
    )
    .answers(200, "The endpoint with its new key.", body, Value::Null)
    .refuses(of_body())
}

fn test(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<DeliveryId>();
    one(
        "testWebhook",
        "Send a message to a webhook endpoint",
        "Sends `webhook.test`, to try the endpoint. Look at the delivery to see what became of it.",
    )
    .answers(202, "The delivery.", body, Value::Null)
    .refuses([ApiError::WebhookDisabled])
}

fn recover(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<EndpointBody>();
    let since = time("Since when events are delivered that were not delivered.");
    one(
        "recoverWebhook",
        "Deliver what a webhook endpoint has missed",
        "Delivers each event since a time that was not delivered: what was given up, and what happened before the endpoint was \
         created.",
    )
    .takes_json(object([("since", since)]), json!({ "example": { "since": "2026-11-29T06:00:00Z" } }))
    .answers(202, "The endpoint.", body, Value::Null)
    .refuses(of_body())
}

fn deliveries(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<DeliveriesBody>();
    let states = DeliveryState::ALL.map(DeliveryState::as_str);
    owner(
        "listWebhookDeliveries",
        "What was delivered to your webhook endpoints",
        "Lists deliveries with their last tries, the newest first.",
    )
    .parameters([
        query("endpoint_id", uuid("Only deliveries to this endpoint.")),
        query("state", word(&states, "Only deliveries in this state.")),
        query(
            "before",
            number(
                i64::MIN,
                i64::MAX,
                "Where the page begins: the `next` of another page.",
            ),
        ),
        query(
            "limit",
            number(1, LARGEST_LIMIT, "The largest number of deliveries (100)."),
        ),
    ])
    .answers(200, "The deliveries.", body, Value::Null)
    .refuses([ApiError::InvalidQuery(Vec::new())])
}

fn resend(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<DeliveryId>();
    owner(
        "resendWebhookDelivery",
        "Send a delivery again",
        "Makes a delivery due now, also if it was delivered or given up.",
    )
    .parameter(path(
        "id",
        number(i64::MIN, i64::MAX, "The id of the delivery."),
    ))
    .answers(202, "The delivery.", body, Value::Null)
    .refuses([ApiError::UnknownDelivery])
}

fn health(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<WebhooksBody>();
    reads(
        "showWebhooks",
        "The webhook endpoints of all callers",
        "Shows whether they deliver, fail or are disabled, and how many deliveries wait.",
    )
    .answers(200, "The endpoints.", body, Value::Null)
}
