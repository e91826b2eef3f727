//! Reads the fields of a payload and collects all problems of the payload.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    deployment::Deployment,
    field::{Field, Kind, PayloadFields},
    rules::{self, InvalidValue, Rule},
};

/// The largest number of fields that a payload may have, so that the time for comparing them with each other is limited. No
/// operation has half as many.
const MOST_FIELDS: usize = 100;

/// A problem of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where the problem is, as a JSON pointer into the request: `/data/<key>`.
    pub pointer: String,
    /// A stable code.
    pub code: &'static str,
    /// What the caller must change. The message never contains text that the caller sent.
    pub message: String,
}

/// All problems of a payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payload has {} problem(s)", problems.len())]
pub struct InvalidPayload {
    /// The problems: first the problems of the operation's fields, in the order of the fields, then the unknown keys.
    pub problems: Vec<Problem>,
}

/// The fields of a payload. Each method that reads a field marks the key and the kind of its value as known, and
/// collects the problems of the value.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    /// The deployment, for rules that depend on it.
    pub(super) deployment: &'a Deployment,
    entries: Vec<(String, &'a RawValue)>,
    /// Whether the payload was split into its entries.
    was_read: bool,
    known: PayloadFields,
    problems: Vec<Problem>,
    is_new: bool,
}

impl<'a> Fields<'a> {
    /// Splits a payload into its fields, without changing the text of the values. If `is_new` is true, all rules apply.
    /// If `is_new` is false, the payload was accepted before. Then the newest rules do not apply, because an older
    /// gateway may have accepted the payload without them.
    pub(super) fn new(payload: &'a RawValue, deployment: &'a Deployment, is_new: bool) -> Self {
        let mut fields = Self {
            is_new,
            deployment,
            entries: Vec::new(),
            was_read: true,
            known: PayloadFields::default(),
            problems: Vec::new(),
        };
        let Ok(Entries(entries)) = serde_json::from_str(payload.get()) else {
            fields.was_read = false;
            fields.payload_problem("wrong_type", "must be a JSON object");
            return fields;
        };
        if entries.len() > MOST_FIELDS {
            fields.was_read = false;
            let message = format!("has more than {MOST_FIELDS} fields");
            fields.payload_problem("too_many_fields", &message);
            return fields;
        }
        for (key, value) in entries {
            if fields.get(&key).is_some() {
                fields.problem(&key, "repeated_field", "must appear only once");
            } else {
                fields.entries.push((key, value));
            }
        }
        fields
    }

    /// The value of a required field. `None` if the field is missing or its value has a problem.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        rule: Rule<impl FnOnce(&RawValue) -> Result<T, InvalidValue>>,
    ) -> Option<T> {
        self.know(key, true, rule.kind);
        let value = self.read(key, rule);
        let missing = matches!(self.get(key).map(RawValue::get), None | Some("null"));
        if missing && self.was_read {
            self.problem(key, "required", "is required");
        }
        value
    }

    /// The value of a field that may be missing or `null`. `None` also if the value has a problem.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        rule: Rule<impl FnOnce(&RawValue) -> Result<T, InvalidValue>>,
    ) -> Option<T> {
        self.know(key, false, rule.kind);
        self.read(key, rule)
    }

    fn know(&mut self, key: &'static str, is_required: bool, kind: Kind) {
        self.known.fields.push(Field {
            key,
            is_required,
            kind,
        });
    }

    fn read<T>(
        &mut self,
        key: &'static str,
        rule: Rule<impl FnOnce(&RawValue) -> Result<T, InvalidValue>>,
    ) -> Option<T> {
        let value = self.get(key).filter(|value| value.get() != "null")?;
        match (rule.check)(value) {
            Ok(value) => Some(value),
            Err(InvalidValue { code, message }) => {
                self.problem(key, code, message);
                None
            }
        }
    }

    /// The external id of a client or a loan.
    pub(super) fn required_id(&mut self, key: &'static str) -> Option<String> {
        let id = self.required(key, rules::external_id());
        self.check_if_new(key, id, rules::visible)
    }

    /// A payment reference (UTR).
    pub(super) fn optional_reference(&mut self, key: &'static str) -> Option<String> {
        let reference = self.optional(key, rules::reference());
        self.check_if_new(key, reference, rules::distinctive)
    }

    /// Applies a rule only to a new payload.
    fn check_if_new(
        &mut self,
        key: &str,
        text: Option<String>,
        rule: impl FnOnce(&str) -> Result<(), InvalidValue>,
    ) -> Option<String> {
        match rule(text.as_deref()?) {
            Err(InvalidValue { code, message }) if self.is_new => {
                self.problem(key, code, message);
                None
            }
            Ok(()) | Err(_) => text,
        }
    }

    /// Adds a problem under a key. If the problem concerns several fields, `key` is the key of one of them.
    pub(super) fn problem(&mut self, key: &str, code: &'static str, message: impl Into<String>) {
        self.problems.push(Problem {
            pointer: pointer_of(key),
            code,
            message: message.into(),
        });
    }

    /// Adds a problem that concerns the payload as a whole.
    fn payload_problem(&mut self, code: &'static str, message: &str) {
        self.problems.push(Problem {
            pointer: "/data".to_owned(),
            code,
            message: message.to_owned(),
        });
    }

    /// Adds a problem if an update names nothing to change.
    pub(super) fn needs_one_of(&mut self, keys: &[&'static str]) {
        self.known.one_of = keys.to_vec();
        let named = |key: &&str| self.get(key).is_some_and(|value| value.get() != "null");
        if self.was_read && !keys.iter().any(named) {
            self.payload_problem(
                "nothing_to_change",
                "must name at least one field to change",
            );
        }
    }

    /// Adds a problem for each unknown key. Returns the operation if there is no problem at all.
    pub(super) fn finish<O>(self, operation: Option<O>) -> Result<O, InvalidPayload> {
        let mut problems = self.problems;
        for (key, _) in &self.entries {
            if self.known.fields.iter().any(|known| known.key == key) {
                continue;
            }
            let similarity =
                |known: &str| strsim::jaro_winkler(&known.to_lowercase(), &key.to_lowercase());
            let nearest = self
                .known
                .fields
                .iter()
                .map(|known| known.key)
                .max_by(|one, other| similarity(one).total_cmp(&similarity(other)))
                .unwrap_or_default();
            problems.push(Problem {
                pointer: pointer_of(key),
                code: "unknown_field",
                message: format!(
                    "is not a field of this operation; the most similar field is {nearest}"
                ),
            });
        }
        match operation {
            Some(operation) if problems.is_empty() => Ok(operation),
            _ => Err(InvalidPayload { problems }),
        }
    }

    /// All fields that were read, whether or not the payload has them.
    pub(super) fn into_known(self) -> PayloadFields {
        self.known
    }

    fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.entries
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| *value)
    }
}

/// The JSON pointer of a key. RFC 6901 requires that two characters are escaped.
pub(crate) fn pointer_of(key: &str) -> String {
    format!("/data/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// The keys and values of an object in their order, including repeated keys.
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
            assert_eq!(fields.optional("mobileNo", rules::mobile_no()), None);
            assert_eq!(
                fields.optional("emailAddress", rules::email_address()),
                None
            );
            let problem = fields.finish(Some(())).unwrap_err().problems.remove(0);
            assert_eq!(problem.pointer, format!("/data/{key}"));
            assert_eq!(
                problem.message,
                format!("is not a field of this operation; the most similar field is {nearest}")
            );
        }
    }
}
