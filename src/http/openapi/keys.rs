//! Keys: the credentials in the database.

use serde_json::{Value, json};

use super::{
    endpoint::{Endpoint, Row},
    parameters::{number, path, uuid},
    refusals::{common, of_body},
    schemas::{Schemas, object, or_null, text, time, word},
    security::Credential,
};
use crate::{
    domain::{CredentialKind, OperationType, Scope},
    http::{
        api_error::ApiError,
        keys::{KeyBody, KeysBody, LONGEST_LENDER, LONGEST_NAME, LONGEST_OVERLAP_HOURS, MOST},
    },
    store::CredentialError,
};

/// The routes.
pub(super) const TABLE: &[Row] = &[
    ("GET /fineract/keys", list),
    ("POST /fineract/keys", create),
    ("GET /fineract/keys/{id}", show),
    ("POST /fineract/keys/{id}/rotate", rotate),
    ("POST /fineract/keys/{id}/revoke", revoke),
];

fn manages(id: &'static str, summary: &'static str, description: &'static str) -> Endpoint {
    Endpoint::new(id, summary, description)
        .with(Credential::Operator(Scope::Admin))
        .refuses(common())
}

/// A route about one key.
fn one(id: &'static str, summary: &'static str, description: &'static str) -> Endpoint {
    manages(id, summary, description)
        .parameter(path("id", uuid("The id of the key.")))
        .refuses([ApiError::from(CredentialError::Unknown)])
}

fn reason() -> Value {
    or_null(text(
        1_000,
        "Why you do it, for the audit. No personal data.",
    ))
}

/// A list of words, or null for no restriction.
fn words(item: &Value, description: &str) -> Value {
    json!({
        "type": ["array", "null"], "minItems": 1, "maxItems": MOST, "items": item, "description": description,
    })
}

fn list(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<KeysBody>();
    manages("listKeys", "List keys", "Lists the keys in the database.").answers(
        200,
        "The keys.",
        body,
        Value::Null,
    )
}

/// The schema of a new key.
fn new_key() -> Value {
    let name = |description: &str| {
        json!({
            "type": "string", "pattern": "^[A-Za-z0-9._-]+$", "minLength": 1, "maxLength": LONGEST_NAME,
            "description": description,
        })
    };
    let kinds = CredentialKind::ALL.map(CredentialKind::as_str);
    let scopes = Scope::ALL.map(Scope::as_str);
    let types: Vec<&str> = OperationType::ALL
        .iter()
        .map(|kind| kind.as_str())
        .collect();
    object([
        (
            "name",
            name("Its name in logs, in the audit and in commands."),
        ),
        (
            "owner?",
            json!({
                "type": ["string", "null"], "pattern": "^((owner|token|bulk):)?[A-Za-z0-9._-]{1,100}$",
                "description": "Whose operations, batches, events, webhooks and idempotency keys it reaches (the owner with the \
                                name of the key). `token:los` is the owner of the token `los` in the settings, `bulk:los` that \
                                of the bulk client.",
            }),
        ),
        ("kind", word(&kinds, "By which header it is sent.")),
        (
            "scopes?",
            words(
                &word(&scopes, "A scope."),
                "What it permits (what is usual for its kind).",
            ),
        ),
        (
            "operation_types?",
            words(
                &word(&types, "A type."),
                "The operation types that it may send (every type).",
            ),
        ),
        (
            "lenders?",
            words(
                &text(LONGEST_LENDER, "A lender."),
                "The lenders for which it may send operations that name one (every lender).",
            ),
        ),
        (
            "rate?",
            json!({
                "type": ["integer", "null"], "minimum": 1, "maximum": i32::MAX,
                "description": "How many requests a minute each gateway admits (any number).",
            }),
        ),
        (
            "addresses?",
            words(
                &json!({ "type": "string", "description": "An address or a network." }),
                "The networks from which it may be used (from everywhere).",
            ),
        ),
        ("expires_at?", or_null(time("When it expires (never)."))),
        ("reason?", reason()),
    ])
}

fn create(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<KeyBody>();
    let example = json!({ "example": {
        "name": "acme-los", "owner": "acme", "kind": "internal_token", "expires_at": "2099-11-29T00:00:00Z",
    } });
    manages(
        "createKey",
        "Create a key",
        "The answer has the secret, which is not shown again. Every gateway knows the key within a second.",
    )
    .takes_json(new_key(), example)
    .answers(201, "The key with its secret.", body, Value::Null)
    .headers(201, &["Location"])
    .refuses(of_body())
    .refuses([
        ApiError::from(CredentialError::NameInUse),
        ApiError::from(CredentialError::Expired),
    ])
}

fn show(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<KeyBody>();
    one("showKey", "A key", "Shows a key.").answers(200, "The key.", body, Value::Null)
}

fn rotate(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<KeyBody>();
    let longest = i64::try_from(LONGEST_OVERLAP_HOURS).unwrap_or_default();
    let mut overlap = number(
        0,
        longest,
        "For how many hours the secret before it stays valid (24).",
    );
    if let Some(kind) = overlap.get_mut("type") {
        *kind = json!(["integer", "null"]);
    }
    one(
        "rotateKey",
        "Give a key a new secret",
        "The answer has the new secret, which is not shown again. A secret that is older than the one before it ends at once.",
    )
    .takes_json(
        object([("overlap_hours?", overlap), ("reason?", reason())]),
        json!({ "example": { "overlap_hours": 24 } }),
    )
    .answers(200, "The key with its new secret.", body, Value::Null)
    .refuses(of_body())
}

fn revoke(schemas: &mut Schemas<'_>) -> Endpoint {
    let body = schemas.of::<KeyBody>();
    one(
        "revokeKey",
        "Revoke a key",
        "From now on the key permits nothing: on every gateway within a second, also in the middle of a long request.",
    )
    .takes_json(object([("reason?", reason())]), json!({ "example": {} }))
    .answers(200, "The key.", body, Value::Null)
    .refuses(of_body())
}
