//! Reading a payload: every field once, every problem noted.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    Deployment,
    rules::{self, Fault},
};

/// One thing that is wrong with a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, as a JSON pointer into the request: `/data/<key>`.
    pub pointer: String,
    /// A stable code.
    pub code: &'static str,
    /// What must be otherwise; never what the caller sent.
    pub message: String,
}

/// Everything that is wrong with a payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payload has {} problem(s)", problems.len())]
pub struct InvalidPayload {
    /// The problems, in the order of the operation's fields; unknown keys come last.
    pub problems: Vec<Problem>,
}

/// A payload's fields. Each getter takes its key for known and notes what is wrong with its value.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    /// The deployment, for the rules that depend on it.
    pub(super) deployment: &'a Deployment,
    entries: Vec<(String, &'a RawValue)>,
    is_object: bool,
    known: Vec<&'static str>,
    problems: Vec<Problem>,
    is_new: bool,
}

impl<'a> Fields<'a> {
    /// Splits an object into its fields, whose values stay as they were written. Of a payload that was
    /// accepted before, perhaps by an older gateway, less is asked than of a new one.
    pub(super) fn new(payload: &'a RawValue, deployment: &'a Deployment, is_new: bool) -> Self {
        let mut fields = Self {
            is_new,
            deployment,
            entries: Vec::new(),
            is_object: true,
            known: Vec::new(),
            problems: Vec::new(),
        };
        let Ok(Entries(entries)) = serde_json::from_str(payload.get()) else {
            fields.is_object = false;
            fields.whole("wrong_type", "must be a JSON object");
            return fields;
        };
        for (key, value) in entries {
            if fields.get(&key).is_some() {
                fields.problem(&key, "repeated_field", "stands here more than once");
            } else {
                fields.entries.push((key, value));
            }
        }
        fields
    }

    /// The value of a field that must be there; `None` once its problem is noted.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        rule: impl FnOnce(&RawValue) -> Result<T, Fault>,
    ) -> Option<T> {
        let value = self.optional(key, rule);
        let missing = matches!(self.get(key).map(RawValue::get), None | Some("null"));
        if missing && self.is_object {
            self.problem(key, "required", "is required");
        }
        value
    }

    /// The value of a field that may be missing or `null`; `None` also once its problem is noted.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        rule: impl FnOnce(&RawValue) -> Result<T, Fault>,
    ) -> Option<T> {
        self.known.push(key);
        let value = self.get(key).filter(|value| value.get() != "null")?;
        match rule(value) {
            Ok(value) => Some(value),
            Err(Fault { code, message }) => {
                self.problem(key, code, message);
                None
            }
        }
    }

    /// The external id of a client or a loan.
    pub(super) fn required_id(&mut self, key: &'static str) -> Option<String> {
        let id = self.required(key, rules::external_id);
        self.newly(key, id, rules::visible)
    }

    /// A payment reference (UTR).
    pub(super) fn optional_reference(&mut self, key: &'static str) -> Option<String> {
        let reference = self.optional(key, rules::reference);
        self.newly(key, reference, rules::telling)
    }

    /// Asks of a new payload what was not always asked.
    fn newly(
        &mut self,
        key: &str,
        text: Option<String>,
        rule: impl FnOnce(&str) -> Result<(), Fault>,
    ) -> Option<String> {
        match rule(text.as_deref()?) {
            Err(Fault { code, message }) if self.is_new => {
                self.problem(key, code, message);
                None
            }
            Ok(()) | Err(_) => text,
        }
    }

    /// Notes a problem that lies in more than one field under one of them.
    pub(super) fn problem(&mut self, key: &str, code: &'static str, message: impl Into<String>) {
        self.problems.push(Problem {
            pointer: pointer(key),
            code,
            message: message.into(),
        });
    }

    /// Notes a problem of the payload as a whole.
    fn whole(&mut self, code: &'static str, message: &str) {
        self.problems.push(Problem {
            pointer: "/data".to_owned(),
            code,
            message: message.to_owned(),
        });
    }

    /// Notes that an update names nothing to change.
    pub(super) fn needs_one_of(&mut self, keys: &[&str]) {
        let named = |key: &&str| self.get(key).is_some_and(|value| value.get() != "null");
        if self.is_object && !keys.iter().any(named) {
            self.whole(
                "nothing_to_change",
                "must name at least one field to change",
            );
        }
    }

    /// Adds the unknown keys; the operation, if there is no problem.
    pub(super) fn finish<O>(self, operation: Option<O>) -> Result<O, InvalidPayload> {
        let mut problems = self.problems;
        for (key, _) in &self.entries {
            if self.known.contains(&key.as_str()) {
                continue;
            }
            let likeness =
                |known: &str| strsim::jaro_winkler(&known.to_lowercase(), &key.to_lowercase());
            let nearest = self
                .known
                .iter()
                .max_by(|one, other| likeness(one).total_cmp(&likeness(other)))
                .unwrap_or(&"");
            problems.push(Problem {
                pointer: pointer(key),
                code: "unknown_field",
                message: format!("is no field of this operation; the nearest is {nearest}"),
            });
        }
        match operation {
            Some(operation) if problems.is_empty() => Ok(operation),
            _ => Err(InvalidPayload { problems }),
        }
    }

    fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.entries
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| *value)
    }
}

/// RFC 6901 escapes two characters of a key.
fn pointer(key: &str) -> String {
    format!("/data/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// An object's keys and values in their order, repeated ones too.
#[derive(Debug)]
pub(crate) struct Entries<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::testing::{deployment, raw};

    #[test]
    fn an_unknown_key_names_the_nearest_known_one() {
        for (key, nearest) in [
            ("mobileno", "mobileNo"),
            ("MOBILE_NO", "mobileNo"),
            ("email", "emailAddress"),
            ("mail", "emailAddress"),
        ] {
            let payload = raw(&format!("{{\"{key}\":1}}"));
            let deployment = deployment();
            let mut fields = Fields::new(&payload, &deployment, true);
            let anything = |_: &RawValue| Ok(());
            assert_eq!(fields.optional("mobileNo", anything), None);
            assert_eq!(fields.optional("emailAddress", anything), None);
            let problem = fields.finish(Some(())).unwrap_err().problems.remove(0);
            assert_eq!(problem.pointer, format!("/data/{key}"));
            assert_eq!(
                problem.message,
                format!("is no field of this operation; the nearest is {nearest}")
            );
        }
    }
}
