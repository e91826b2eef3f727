//! Compares two OpenAPI documents: what would force a caller of the old one to change its program.
//!
//! What a caller sends must be accepted as before: nothing it may send becomes invalid, and nothing new is required. What
//! a caller reads must be there as before: nothing is removed, and nothing that was always there may be missing. New
//! routes, statuses, members of answers and words are no break.

use std::collections::BTreeSet;

use serde_json::Value;

/// Who reads a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// The gateway: the value is part of a request.
    Gateway,
    /// The caller: the value is part of an answer.
    Caller,
}

/// Limits of which a lower one accepts less, and limits of which a higher one accepts less.
const UPPER: [&str; 6] = [
    "maxLength",
    "maximum",
    "exclusiveMaximum",
    "maxItems",
    "maxProperties",
    "x-decimal-places",
];
const LOWER: [&str; 5] = [
    "minLength",
    "minimum",
    "exclusiveMinimum",
    "minItems",
    "minProperties",
];
/// Rules of which any other one may accept less.
const EXACT: [&str; 4] = ["pattern", "format", "multipleOf", "not"];

/// A comparison of two documents.
pub(crate) struct Comparison<'a> {
    old: &'a Value,
    new: &'a Value,
    breaks: Vec<String>,
    /// The references that are being compared, so that a schema that refers to itself is compared once.
    open: BTreeSet<(String, String)>,
}

impl<'a> Comparison<'a> {
    /// What breaks callers, one line each.
    pub(crate) fn of(old: &'a Value, new: &'a Value) -> Vec<String> {
        let mut comparison = Self {
            old,
            new,
            breaks: Vec::new(),
            open: BTreeSet::new(),
        };
        for (path, item) in members(&old["paths"]) {
            for (method, operation) in members(item) {
                if !matches!(method.as_str(), "get" | "post" | "put" | "patch" | "delete") {
                    continue;
                }
                let at = format!("{} {path}", method.to_uppercase());
                let found = &new["paths"][path.as_str()][method.as_str()];
                if found.is_null() {
                    comparison.add(&at, "is removed");
                } else {
                    comparison.operation(&at, operation, found);
                }
            }
        }
        comparison.breaks
    }

    fn add(&mut self, at: &str, what: &str) {
        self.breaks.push(format!("{at}: {what}"));
    }

    fn operation(&mut self, at: &str, old: &'a Value, new: &'a Value) {
        for credential in items(&old["security"]) {
            if !items(&new["security"]).contains(credential) {
                self.add(
                    at,
                    &format!("the credential {credential} is no longer enough"),
                );
            }
        }
        self.parameters(at, old, new);
        self.body(at, &old["requestBody"], &new["requestBody"]);
        for (status, answer) in members(&old["responses"]) {
            let at = format!("{at} {status}");
            let found = &new["responses"][status.as_str()];
            if found.is_null() {
                self.add(&at, "is removed");
                continue;
            }
            for (header, _) in members(&answer["headers"]) {
                if found["headers"][header.as_str()].is_null() {
                    self.add(&at, &format!("the header {header} is removed"));
                }
            }
            self.content(&at, (&answer["content"], &found["content"]), Reader::Caller);
        }
    }

    fn parameters(&mut self, at: &str, old: &'a Value, new: &'a Value) {
        let (before, after) = (self.old, self.new);
        let old: Vec<&Value> = items(&old["parameters"])
            .iter()
            .map(|one| resolved(before, one))
            .collect();
        let new: Vec<&Value> = items(&new["parameters"])
            .iter()
            .map(|one| resolved(after, one))
            .collect();
        let same =
            |one: &Value, other: &Value| one["name"] == other["name"] && one["in"] == other["in"];
        for parameter in &old {
            let at = format!("{at} parameter {}", parameter["name"]);
            match new.iter().find(|other| same(parameter, other)) {
                None => self.add(&at, "is removed"),
                Some(found) => {
                    if found["required"] == true && parameter["required"] != true {
                        self.add(&at, "is required now");
                    }
                    self.schema(
                        &at,
                        (&parameter["schema"], &found["schema"]),
                        Reader::Gateway,
                    );
                }
            }
        }
        for parameter in &new {
            if parameter["required"] == true && !old.iter().any(|other| same(parameter, other)) {
                self.add(
                    at,
                    &format!("the parameter {} is new and required", parameter["name"]),
                );
            }
        }
    }

    fn body(&mut self, at: &str, old: &'a Value, new: &'a Value) {
        let at = format!("{at} body");
        if new["required"] == true && old["required"] != true {
            self.add(&at, "is required now");
        }
        self.content(&at, (&old["content"], &new["content"]), Reader::Gateway);
    }

    fn content(&mut self, at: &str, (old, new): (&'a Value, &'a Value), reader: Reader) {
        for (media_type, content) in members(old) {
            let found = &new[media_type.as_str()];
            if found.is_null() {
                self.add(at, &format!("{media_type} is removed"));
            } else {
                self.schema(at, (&content["schema"], &found["schema"]), reader);
            }
        }
    }

    fn schema(&mut self, at: &str, (old, new): (&'a Value, &'a Value), reader: Reader) {
        let pair = (old["$ref"].to_string(), new["$ref"].to_string());
        let is_reference = !old["$ref"].is_null() || !new["$ref"].is_null();
        if is_reference && !self.open.insert(pair.clone()) {
            return;
        }
        let (old, new) = (resolved(self.old, old), resolved(self.new, new));
        self.types(at, old, new, reader);
        if let Some(known) = words(old) {
            let left = words(new);
            for word in known {
                if left.as_ref().is_some_and(|left| !left.contains(&word)) {
                    self.add(at, &format!("the value {word} is removed"));
                }
            }
        } else if reader == Reader::Gateway && words(new).is_some() {
            self.add(at, "accepts only some values now");
        }
        if reader == Reader::Gateway {
            self.limits(at, old, new);
        }
        self.properties(at, old, new, reader);
        if !old["items"].is_null() {
            self.schema(&format!("{at}[]"), (&old["items"], &new["items"]), reader);
        }
        for group in ["oneOf", "anyOf", "allOf"] {
            self.variants(at, (&old[group], &new[group]), reader);
        }
        if is_reference {
            self.open.remove(&pair);
        }
    }

    fn types(&mut self, at: &str, old: &Value, new: &Value, reader: Reader) {
        let (given, accepted) = match reader {
            Reader::Gateway => (old, new),
            Reader::Caller => (new, old),
        };
        if accepted["type"].is_null() {
            return;
        }
        let accepted = kinds(accepted);
        if given["type"].is_null() {
            self.add(at, "may have any type on one side only");
        }
        for kind in kinds(given) {
            let fits =
                accepted.contains(&kind) || (kind == "integer" && accepted.contains(&"number"));
            if !fits {
                self.add(at, &format!("the type {kind} is on one side only"));
            }
        }
    }

    fn limits(&mut self, at: &str, old: &Value, new: &Value) {
        for (keys, is_upper) in [(&UPPER[..], true), (&LOWER[..], false)] {
            for key in keys {
                let (before, after) = (old[*key].as_f64(), new[*key].as_f64());
                let narrows = match (before, after) {
                    (Some(before), Some(after)) if is_upper => after < before,
                    (Some(before), Some(after)) => after > before,
                    (None, Some(_)) => true,
                    (_, None) => false,
                };
                if narrows {
                    self.add(at, &format!("{key} accepts less"));
                }
            }
        }
        for key in EXACT {
            if !new[key].is_null() && old[key] != new[key] {
                self.add(at, &format!("{key} is another one"));
            }
        }
    }

    fn properties(&mut self, at: &str, old: &'a Value, new: &'a Value, reader: Reader) {
        let closes = new["additionalProperties"] == false;
        if closes && old["additionalProperties"] != false && reader == Reader::Gateway {
            self.add(at, "refuses other members now");
        }
        for (key, schema) in members(&old["properties"]) {
            let at = format!("{at}.{key}");
            let found = &new["properties"][key.as_str()];
            if !found.is_null() {
                self.schema(&at, (schema, found), reader);
            } else if reader == Reader::Caller || closes {
                self.add(&at, "is removed");
            }
        }
        let (first, second) = match reader {
            Reader::Gateway => (new, old),
            Reader::Caller => (old, new),
        };
        for key in items(&first["required"]) {
            if !items(&second["required"]).contains(key) {
                let what = match reader {
                    Reader::Gateway => "is required now",
                    Reader::Caller => "may be missing now",
                };
                self.add(&format!("{at}.{key}"), what);
            }
        }
    }

    /// Compares variants. Those that refer to a schema are compared with the variant that refers to the same name, the
    /// others with the variant at the same place.
    fn variants(&mut self, at: &str, (old, new): (&'a Value, &'a Value), reader: Reader) {
        for (place, variant) in items(old).iter().enumerate() {
            let name = &variant["$ref"];
            let found = match name {
                Value::Null => items(new).get(place),
                _ => items(new).iter().find(|other| other["$ref"] == *name),
            };
            match found {
                Some(found) => self.schema(at, (variant, found), reader),
                None => self.add(at, &format!("the variant {name} is removed")),
            }
        }
        if reader == Reader::Gateway && items(old).is_empty() && !items(new).is_empty() {
            self.add(at, "has variants now");
        }
    }
}

/// The words that a value may be; `None` if it may be others.
fn words(schema: &Value) -> Option<Vec<&Value>> {
    match (&schema["enum"], &schema["const"]) {
        (Value::Array(words), _) => Some(words.iter().collect()),
        (_, Value::Null) => None,
        (_, word) => Some(vec![word]),
    }
}

fn kinds(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.as_str().into_iter().collect(),
    }
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let reference = value["$ref"].as_str().and_then(|to| to.strip_prefix('#'));
    reference.map_or(value, |pointer| {
        document.pointer(pointer).expect("what is referred to")
    })
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
