//! Compares two OpenAPI documents: what would force a caller of the old one to change its program.
//!
//! What a caller sends must be accepted as before: nothing it may send becomes invalid, and nothing new is required.
//! What a caller reads must be there as before: nothing is removed, and nothing that was always there may be missing.
//! New routes, statuses, members of answers and words are no break.

mod cases;
mod schema;

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
