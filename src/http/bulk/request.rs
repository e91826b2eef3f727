//! Reads the members of a request other than its rows. A key may occur only once. All problems are collected.

use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use crate::{
    domain::Amount,
    http::{api_error::ApiError, body::BODY_LIMIT},
    operations::{Entries, Problem},
    table::{Fault, TOO_LARGE},
};

/// The longest name that a client may give, in characters.
const LONGEST_NAME: usize = 255;

/// A whole number in any JSON notation: `12.0` is 12.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Whole<T>(pub(super) T);

impl<'de, T: TryFrom<i128>> Deserialize<'de> for Whole<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Box::<RawValue>::deserialize(deserializer)?;
        Amount::from_json_number(number.get())
            .and_then(Amount::whole)
            .and_then(|whole| T::try_from(whole).ok())
            .map(Self)
            .ok_or_else(|| de::Error::custom("no whole number that fits"))
    }
}

/// The members of a request, and the problems found so far.
#[derive(Debug, Default)]
pub(super) struct Request {
    entries: Vec<(String, Box<RawValue>)>,
    known: Vec<&'static str>,
    problems: Vec<Problem>,
}

impl Request {
    /// Reads a body, which must be an object.
    pub(super) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        match serde_json::from_slice::<Entries<'_>>(body) {
            Ok(Entries(entries)) => Ok(Self::of(
                entries
                    .into_iter()
                    .map(|(key, value)| (key, value.to_owned()))
                    .collect(),
            )),
            Err(error) if error.is_data() => Err(ApiError::Invalid(vec![problem(
                "",
                "wrong_type",
                "must be a JSON object",
            )])),
            Err(error) => Err(ApiError::BrokenJson(error)),
        }
    }

    /// Creates a request from members that have already been parsed.
    pub(super) fn of(entries: Vec<(String, Box<RawValue>)>) -> Self {
        Self {
            entries,
            ..Self::default()
        }
    }

    /// The value of an optional key. `None` if it is missing, `null` or invalid; an invalid value adds a problem.
    pub(super) fn optional<T: de::DeserializeOwned>(
        &mut self,
        key: &'static str,
        expected: &str,
    ) -> Option<T> {
        self.known.push(key);
        let mut values = self.entries.iter().filter(|(name, _)| name == key);
        let value = values.next().map(|(_, value)| value.get())?;
        if values.next().is_some() {
            self.note(key, "repeated_field", "is listed more than once");
            return None;
        }
        if value == "null" {
            return None;
        }
        let read = serde_json::from_str(value).ok();
        if read.is_none() {
            self.note(key, "wrong_type", format!("must be {expected}"));
        }
        read
    }

    /// The value of an optional key that must be an object. An array is a problem, although serde would deserialize a
    /// struct from it.
    pub(super) fn optional_object<T: de::DeserializeOwned>(
        &mut self,
        key: &'static str,
        expected: &str,
    ) -> Option<T> {
        let is_array =
            |(name, value): &(String, Box<RawValue>)| name == key && value.get().starts_with('[');
        if self.entries.iter().any(is_array) {
            self.known.push(key);
            self.note(key, "wrong_type", format!("must be {expected}"));
            return None;
        }
        self.optional(key, expected)
    }

    /// The value of an optional key that must be a name.
    pub(super) fn optional_name(&mut self, key: &'static str) -> Option<String> {
        let name = self.optional::<String>(key, "a text")?;
        checked_name(&format!("/{key}"), name)
            .map_err(|fault| self.problems.push(fault))
            .ok()
    }

    /// The value of a required key that must be a name.
    pub(super) fn required_name(&mut self, key: &'static str) -> Option<String> {
        let before = self.problems.len();
        let name = self.optional_name(key);
        if name.is_none() && self.problems.len() == before {
            self.note(key, "required", "is required");
        }
        name
    }

    /// Adds a problem with the value of a key.
    pub(super) fn note(&mut self, key: &str, code: &'static str, message: impl Into<String>) {
        self.problems
            .push(problem(&format!("/{key}"), code, message));
    }

    /// All problems, including one for each key that was never read.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        let unknown: Vec<String> = self
            .entries
            .iter()
            .filter(|(key, _)| !self.known.contains(&key.as_str()))
            .map(|(key, _)| key.replace('~', "~0").replace('/', "~1"))
            .collect();
        for key in unknown {
            self.note(&key, "unknown_field", "is not a field of this request");
        }
        self.problems
    }

    /// An error if there are any problems.
    pub(super) fn finish(self) -> Result<(), ApiError> {
        let problems = self.into_problems();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ApiError::Invalid(problems))
        }
    }
}

/// Checks a name that the client gives to a batch or row.
pub(super) fn checked_name(pointer: &str, name: String) -> Result<String, Problem> {
    let (code, message) = if name.trim().is_empty() {
        ("blank", "must not be blank")
    } else if name.chars().count() > LONGEST_NAME {
        ("too_long", "must have at most 255 characters")
    } else if name.contains(char::is_control) {
        ("forbidden_character", "must not contain control characters")
    } else {
        return Ok(name);
    };
    Err(problem(pointer, code, message))
}

/// A problem of the request.
pub(super) fn problem(pointer: &str, code: &'static str, message: impl Into<String>) -> Problem {
    Problem {
        pointer: pointer.to_owned(),
        code,
        message: message.into(),
    }
}

/// The problem of a row, or of its new data, that is larger than an operation may be.
pub(super) fn too_large() -> Problem {
    let message = format!("must have at most {BODY_LIMIT} bytes");
    problem("", TOO_LARGE, message)
}

/// The problem of the request that corresponds to a fault of its table.
pub(super) fn table_problem(fault: Fault) -> Problem {
    let pointer = fault.column.map(|column| format!("/{column}"));
    problem(&pointer.unwrap_or_default(), fault.code, fault.message)
}
