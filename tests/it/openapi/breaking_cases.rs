//! Which changes of a document break callers.

use serde_json::{Value, json};

use super::breaking::Comparison;

/// A document with one route.
fn base() -> Value {
    json!({
        "paths": { "/things": { "post": {
            "security": [{ "token": [] }, { "key": [] }],
            "parameters": [
                { "name": "limit", "in": "query", "required": false, "schema": { "type": "integer", "maximum": 10 } },
                { "$ref": "#/components/parameters/Prefer" },
            ],
            "requestBody": { "required": true, "content": { "application/json": { "schema": {
                "$ref": "#/components/schemas/Thing",
            } } } },
            "responses": {
                "200": {
                    "headers": { "Location": {} },
                    "content": { "application/json": { "schema": {
                        "type": "object",
                        "properties": {
                            "state": { "type": "string", "enum": ["open", "done"] },
                            "at": { "type": "string" },
                            "thing": { "$ref": "#/components/schemas/Thing" },
                        },
                        "required": ["state"],
                    } } },
                },
                "404": {},
            },
        } } },
        "components": {
            "parameters": { "Prefer": { "name": "Prefer", "in": "header", "schema": { "type": "string" } } },
            "schemas": {
                "Thing": { "oneOf": [{ "$ref": "#/components/schemas/A" }, { "$ref": "#/components/schemas/B" }] },
                "A": {
                    "type": "object",
                    "properties": {
                        "kind": { "const": "A" },
                        "name": { "type": "string", "maxLength": 50, "minLength": 1, "pattern": "x" },
                        "size": { "type": ["number", "null"] },
                        "parts": { "type": "array", "items": { "$ref": "#/components/schemas/A" } },
                    },
                    "required": ["kind"],
                    "additionalProperties": false,
                },
                "B": { "type": "object", "properties": { "kind": { "const": "B" } } },
            },
        },
    })
}

/// The base with another value at a JSON pointer. A value that is `null` is removed.
fn with(pointer: &str, value: &Value) -> Value {
    let mut document = base();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let key = key.replace("~1", "/");
    match document.pointer_mut(parent).expect("the parent") {
        Value::Object(members) if value.is_null() => drop(members.remove(&key)),
        Value::Object(members) => drop(members.insert(key, value.clone())),
        Value::Array(items) if value.is_null() => {
            drop(items.remove(key.parse().expect("an index")))
        }
        Value::Array(items) => items.insert(key.parse().expect("an index"), value.clone()),
        other => panic!("{other} has no members"),
    }
    document
}

const ROUTE: &str = "/paths/~1things/post";
const ANSWER: &str = "/paths/~1things/post/responses/200/content/application~1json/schema";
const A: &str = "/components/schemas/A";

#[test]
fn what_breaks_callers_is_refused() {
    for (parent, key, value, expected) in [
        (
            "/paths",
            "~1things",
            json!(null),
            "POST /things: is removed",
        ),
        (
            "/paths/~1things",
            "post",
            json!(null),
            "POST /things: is removed",
        ),
        (ROUTE, "security/1", json!(null), "is no longer enough"),
        (
            ROUTE,
            "parameters/0",
            json!(null),
            "parameter \"limit\": is removed",
        ),
        (
            ROUTE,
            "parameters/1",
            json!(null),
            "parameter \"Prefer\": is removed",
        ),
        (
            ROUTE,
            "parameters/0/required",
            json!(true),
            "is required now",
        ),
        (
            ROUTE,
            "parameters/0/schema/maximum",
            json!(9),
            "maximum accepts less",
        ),
        (
            ROUTE,
            "parameters/0",
            json!({ "name": "new", "in": "query", "required": true }),
            "is new and required",
        ),
        (
            ROUTE,
            "requestBody/content/application~1json",
            json!(null),
            "application/json is removed",
        ),
        (ROUTE, "responses/404", json!(null), "404: is removed"),
        (
            ROUTE,
            "responses/200/headers/Location",
            json!(null),
            "the header Location is removed",
        ),
        (
            ROUTE,
            "responses/200/content/application~1json",
            json!(null),
            "application/json is removed",
        ),
        (ANSWER, "properties/at", json!(null), ".at: is removed"),
        (
            ANSWER,
            "properties/at/type",
            json!(["string", "null"]),
            "the type null",
        ),
        (
            ANSWER,
            "properties/state/enum/0",
            json!(null),
            "the value \"open\" is removed",
        ),
        (ANSWER, "required/0", json!(null), "may be missing now"),
        (A, "required/1", json!("name"), "is required now"),
        (A, "properties/name", json!(null), ".name: is removed"),
        (
            A,
            "properties/name/type",
            json!("integer"),
            "the type string",
        ),
        (
            A,
            "properties/name/maxLength",
            json!(49),
            "maxLength accepts less",
        ),
        (
            A,
            "properties/name/minLength",
            json!(2),
            "minLength accepts less",
        ),
        (
            A,
            "properties/name/pattern",
            json!("y"),
            "pattern is another one",
        ),
        (
            A,
            "properties/name/format",
            json!("date"),
            "format is another one",
        ),
        (
            A,
            "properties/name/enum",
            json!(["x"]),
            "accepts only some values now",
        ),
        (A, "properties/size/type", json!("number"), "the type null"),
        (
            A,
            "properties/size/type",
            json!(["integer", "null"]),
            "the type number",
        ),
        (
            A,
            "properties/size/maximum",
            json!(1),
            "maximum accepts less",
        ),
        (
            A,
            "properties/kind/const",
            json!("C"),
            "the value \"A\" is removed",
        ),
        (
            "/components/schemas/Thing",
            "oneOf/1",
            json!(null),
            "schemas/B\" is removed",
        ),
        (
            "/components/schemas/B",
            "additionalProperties",
            json!(false),
            "refuses other members now",
        ),
    ] {
        let changed = with(&format!("{parent}/{key}"), &value);
        let breaks = Comparison::of(&base(), &changed);
        let found = breaks.iter().any(|line| line.contains(expected));
        assert!(found, "{parent}/{key} {value}: {breaks:?}");
    }
}

#[test]
fn what_breaks_no_caller_passes() {
    for (parent, key, value) in [
        ("", "info", json!({ "version": "1.1.0" })),
        ("/paths", "~1others", json!({ "get": {} })),
        ("/paths/~1things", "get", json!({})),
        (ROUTE, "description", json!("another one")),
        (ROUTE, "security/0", json!({ "third": [] })),
        (
            ROUTE,
            "parameters/0",
            json!({ "name": "new", "in": "query" }),
        ),
        (ROUTE, "parameters/0/schema/maximum", json!(11)),
        (ROUTE, "parameters/0/schema/maximum", json!(null)),
        (ROUTE, "responses/429", json!({})),
        (ROUTE, "responses/404/headers", json!({ "Retry-After": {} })),
        (
            ROUTE,
            "requestBody/content/text~1csv",
            json!({ "schema": {} }),
        ),
        (ANSWER, "properties/new", json!({ "type": "string" })),
        (ANSWER, "properties/at/description", json!("when")),
        (ANSWER, "properties/state/enum/0", json!("new")),
        (ANSWER, "required/0", json!("at")),
        (A, "properties/name/maxLength", json!(60)),
        (A, "properties/name/minLength", json!(null)),
        (A, "properties/name/pattern", json!(null)),
        (A, "properties/name/type", json!(["string", "null"])),
        (A, "properties/new", json!({ "type": "string" })),
        (A, "additionalProperties", json!(true)),
        ("/components/schemas", "C", json!({})),
    ] {
        let changed = with(&format!("{parent}/{key}"), &value);
        let breaks = Comparison::of(&base(), &changed);
        // A member that requests and answers share may not become more general: callers read it too.
        let breaks: Vec<_> = breaks
            .iter()
            .filter(|line| !line.contains(" 200.thing"))
            .collect();
        assert!(breaks.is_empty(), "{parent}/{key} {value}: {breaks:?}");
    }
}
