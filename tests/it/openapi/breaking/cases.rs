//! Which changes of a document break callers.

use serde_json::{Value, json};

use super::Comparison;

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
                            "mood": { "oneOf": [{ "const": "x" }, { "const": "y" }] },
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
fn with(pointer: &str, value: Value) -> Value {
    let mut document = base();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let parent = document.pointer_mut(parent).expect("the parent");
    if let Some(items) = parent.as_array_mut() {
        let index = key.parse().expect("an index");
        if value.is_null() {
            items.remove(index);
        } else {
            items.insert(index, value);
        }
    } else {
        let members = parent.as_object_mut().expect("an object");
        let key = key.replace("~1", "/");
        if value.is_null() {
            members.remove(&key);
        } else {
            members.insert(key, value);
        }
    }
    document
}

/// The rows of a table: where a value is changed, to what, and the last cell.
fn rows(table: &str) -> impl Iterator<Item = (String, Value, &str)> {
    let lines = table.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| {
        let mut cells = line.split(" | ").map(str::trim);
        let mut cell = || cells.next().unwrap_or_default();
        let route = "/paths/~1things/post";
        let answer = "/paths/~1things/post/responses/200/content/application~1json/schema";
        let pointer = cell()
            .replace("ROUTE", route)
            .replace("ANSWER", answer)
            .replace("A/", "/components/schemas/A/");
        let value = serde_json::from_str(cell()).expect("JSON");
        (pointer, value, cell())
    })
}

const BREAKS: &str = r#"
    /paths/~1things | null | POST /things: is removed
    ROUTE | null | POST /things: is removed
    ROUTE/security/1 | null | is no longer enough
    ROUTE/parameters/0 | null | parameter "limit": is removed
    ROUTE/parameters/1 | null | parameter "Prefer": is removed
    ROUTE/parameters/0/required | true | is required now
    ROUTE/parameters/0/schema/maximum | 9 | maximum accepts less
    ROUTE/parameters/0 | {"name": "new", "in": "query", "required": true} | is new and required
    ROUTE/requestBody/content/application~1json | null | application/json is removed
    ROUTE/responses/404 | null | 404: is removed
    ROUTE/responses/200/headers/Location | null | the header Location is removed
    ROUTE/responses/200/content/application~1json | null | application/json is removed
    ANSWER/properties/at | null | .at: is removed
    ANSWER/properties/at/type | ["string", "null"] | the type null
    ANSWER/properties/state/enum/0 | null | the value "open" is removed
    ANSWER/properties/mood/oneOf/0 | null | the variant "x" is removed
    ANSWER/required/0 | null | may be missing now
    A/required/1 | "name" | is required now
    A/properties/name | null | .name: is removed
    A/properties/name/type | "integer" | the type string
    A/properties/name/maxLength | 49 | maxLength accepts less
    A/properties/name/minLength | 2 | minLength accepts less
    A/properties/name/pattern | "y" | pattern is another one
    A/properties/name/format | "date" | format is another one
    A/properties/name/enum | ["x"] | accepts only some values now
    A/properties/size/type | "number" | the type null
    A/properties/size/type | ["integer", "null"] | the type number
    A/properties/size/maximum | 1 | maximum accepts less
    A/properties/kind/const | "C" | the value "A" is removed
    /components/schemas/Thing/oneOf/1 | null | schemas/B" is removed
    /components/schemas/B/additionalProperties | false | refuses other members now
"#;

#[test]
fn what_breaks_callers_is_refused() {
    for (pointer, value, expected) in rows(BREAKS) {
        let changed = with(&pointer, value);
        let breaks = Comparison::of(&base(), &changed);
        let found = breaks.iter().any(|line| line.contains(expected));
        assert!(found, "{pointer}: {expected} is not in {breaks:?}");
    }
}

const PASSES: &str = r#"
    /info | {"version": "1.1.0"}
    /paths/~1others | {"get": {}}
    /paths/~1things/get | {}
    ROUTE/description | "another one"
    ROUTE/security/0 | {"third": []}
    ROUTE/parameters/0 | {"name": "new", "in": "query"}
    ROUTE/parameters/0/schema/maximum | 11
    ROUTE/parameters/0/schema/maximum | null
    ROUTE/responses/429 | {}
    ROUTE/responses/404/headers | {"Retry-After": {}}
    ROUTE/requestBody/content/text~1csv | {"schema": {}}
    ANSWER/properties/new | {"type": "string"}
    ANSWER/properties/at/description | "when"
    ANSWER/properties/state/enum/0 | "new"
    ANSWER/properties/mood/oneOf/0 | {"const": "new"}
    ANSWER/required/0 | "at"
    A/properties/name/maxLength | 60
    A/properties/name/minLength | null
    A/properties/name/pattern | null
    A/properties/name/type | ["string", "null"]
    A/properties/new | {"type": "string"}
    A/additionalProperties | true
    /components/schemas/C | {}
"#;

#[test]
fn what_breaks_no_caller_passes() {
    for (pointer, value, _) in rows(PASSES) {
        let changed = with(&pointer, value);
        let breaks = Comparison::of(&base(), &changed);
        // `Thing` is in the answer too, where a more general type does break callers.
        let breaks = breaks.iter().filter(|line| !line.contains(" 200.thing"));
        assert_eq!(
            breaks.collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "{pointer}"
        );
    }
}
