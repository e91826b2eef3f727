//! Compares two schemas.

use serde_json::Value;

use super::{Comparison, Reader, items, members, resolved};

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

impl<'a> Comparison<'a> {
    /// Compares the schemas of a value that `reader` reads.
    pub(super) fn schema(&mut self, at: &str, (old, new): (&'a Value, &'a Value), reader: Reader) {
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

    /// Compares variants. Those that refer to a schema, and those that are one word, are compared with the variant that
    /// is the same, the others with the variant at the same place.
    fn variants(&mut self, at: &str, (old, new): (&'a Value, &'a Value), reader: Reader) {
        for (place, variant) in items(old).iter().enumerate() {
            let key = ["$ref", "const"]
                .into_iter()
                .find(|key| !variant[key].is_null());
            let name = key.map_or(&Value::Null, |key| &variant[key]);
            let found = match key {
                Some(key) => items(new).iter().find(|other| other[key] == *name),
                None => items(new).get(place),
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
    let one = std::slice::from_ref(&schema["type"]);
    let kinds = schema["type"].as_array().map_or(one, Vec::as_slice);
    kinds.iter().filter_map(Value::as_str).collect()
}
