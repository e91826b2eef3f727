//! Parameters, and the headers of answers.

use serde_json::{Map, Value, json};

use super::schemas::text;

/// The form of a UUID.
const UUID: &str = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}";

/// A parameter. It has the description of its schema.
fn parameter(name: &str, place: &str, schema: Value) -> Value {
    let mut parameter = Map::new();
    parameter.insert("name".to_owned(), name.into());
    parameter.insert("in".to_owned(), place.into());
    parameter.insert("required".to_owned(), (place == "path").into());
    if let Some(description) = schema.get("description") {
        parameter.insert("description".to_owned(), description.clone());
    }
    parameter.insert("schema".to_owned(), schema);
    parameter.into()
}

/// A parameter of the query that may be left out.
pub(super) fn query(name: &str, schema: Value) -> Value {
    parameter(name, "query", schema)
}

/// A part of the path.
pub(super) fn path(name: &str, schema: Value) -> Value {
    parameter(name, "path", schema)
}

/// A header of the request, which `components` describes.
pub(super) fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

/// The tracking id of an operation. The names of the types are not in the pattern: a new type is no break.
pub(super) fn tracking_id() -> Value {
    json!({
        "type": "string",
        "pattern": format!("^[A-Z_]+\\|{UUID}$"),
        "description": "The tracking id: the operation type, `|`, and a UUID. The `|` may be sent as `%7C`.",
        "examples": ["CLIENT_CREATE|406362bf-f3da-4bc6-a506-d67e0878b7b6"],
    })
}

/// An operation, named by its UUID or by its tracking id.
pub(super) fn operation_id() -> Value {
    json!({
        "type": "string",
        "pattern": format!("^([A-Z_]+\\|)?{UUID}$"),
        "description": "The UUID or the tracking id of the operation.",
        "examples": ["406362bf-f3da-4bc6-a506-d67e0878b7b6"],
    })
}

/// A UUID.
pub(super) fn uuid(description: &str) -> Value {
    json!({ "type": "string", "format": "uuid", "description": description })
}

/// A whole number between two others.
pub(super) fn number(least: i64, most: i64, description: &str) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most, "description": description })
}

/// The headers of requests.
pub(super) fn request_headers() -> Value {
    let mut all = Map::new();
    let visible = |longest: u16, description: &str| {
        json!({
            "type": "string", "pattern": format!("^[!-~]{{1,{longest}}}$"), "description": description,
        })
    };
    let key = "A name that you choose for this operation. If the same key arrives again with the same JSON value, the \
               gateway answers with the operation that it has already accepted, and accepts no other.";
    let prefer = "`wait=25`: the answer is delayed until the operation has ended, but for at most this many seconds (50 at \
                  most). Other preferences are ignored.";
    let id = "A name that you choose for this request. The answer and the gateway's log contain it. Without it, or if it is \
              not 1 to 128 visible ASCII characters, the gateway chooses one.";
    let trace = "The caller's place in its trace (W3C Trace Context). It is kept with the operation and passed on to Fineract and \
                 to webhooks. Another text is ignored.";
    let last =
        "The number of the last event that the reader has got. It takes precedence over `after`.";
    for (name, schema) in [
        ("Idempotency-Key", visible(255, key)),
        (
            "Prefer",
            json!({ "type": "string", "description": prefer, "examples": ["wait=25"] }),
        ),
        (
            "X-Request-Id",
            json!({ "type": "string", "description": id }),
        ),
        (
            "traceparent",
            json!({ "type": "string", "description": trace,
                    "examples": ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"] }),
        ),
        ("Last-Event-ID", number(0, i64::MAX, last)),
    ] {
        all.insert(name.to_owned(), parameter(name, "header", schema));
    }
    all.into()
}

/// The headers of answers.
pub(super) fn answer_headers() -> Value {
    let headers = [
        (
            "X-Request-Id",
            "The id of the request, as the gateway's log contains it.",
        ),
        (
            "Location",
            "Where to ask for the operation. It is relative to the URL of the request.",
        ),
        (
            "Retry-After",
            "After how many seconds another request may get another answer.",
        ),
        (
            "Idempotency-Replayed",
            "`true`: this is the answer to an earlier request with the same key.",
        ),
        (
            "Preference-Applied",
            "The preference that was applied, such as `wait=25`.",
        ),
        ("WWW-Authenticate", "Which credential is missing."),
        ("Allow", "The methods that this path supports."),
        ("Warning", "How many `account_details` could not be read."),
        ("Content-Disposition", "The name of the file."),
        (
            "X-RateLimit-Limit",
            "How many requests a key has in a minute.",
        ),
        ("X-RateLimit-Remaining", "How many of them are left."),
        (
            "X-RateLimit-Reset",
            "When the minute ends, in seconds since 1970 (UTC).",
        ),
        (
            "RateLimit-Policy",
            "The same limit in the form of the IETF draft.",
        ),
        ("RateLimit", "What is left, in the form of the IETF draft."),
    ];
    let headers = headers.into_iter().map(|(name, description)| {
        let schema = match name {
            "Retry-After" | "X-RateLimit-Limit" | "X-RateLimit-Remaining" | "X-RateLimit-Reset" => {
                json!({ "type": "integer", "minimum": 0 })
            }
            _ => json!({ "type": "string" }),
        };
        (
            name.to_owned(),
            json!({ "description": description, "schema": schema }),
        )
    });
    Value::Object(headers.collect())
}

/// A condition of a list that is a text.
pub(super) fn condition(name: &str, description: &str) -> Value {
    query(name, text(200, description))
}
