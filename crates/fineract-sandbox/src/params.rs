//! The body of a write. [`Params`] reads dates, numbers and texts as Fineract does (`docs/fineract/commands.md`, "Dates
//! in a request" and "Numbers and texts in a request"). [`Checks`] collects the errors of all fields, to report them
//! together.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::dates;
use super::failure::{Failure, Item};
use super::json::{Json, Object};

/// The members of a request's body.
#[derive(Clone, Debug, Default)]
pub(super) struct Params(pub(super) Object);

impl Params {
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some()
    }

    pub(super) fn raw(&self, name: &str) -> Option<&Json> {
        self.0.get(name).filter(|value| **value != Json::Null)
    }

    /// The value as a text. A blank text counts as absent. A number is converted to its text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let text = match self.raw(name)? {
            Json::Text(text) | Json::Number(text) => text.clone(),
            Json::Bool(value) => value.to_string(),
            Json::Null | Json::List(_) | Json::Object(_) => return None,
        };
        (!text.trim().is_empty()).then_some(text)
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.raw(name)
            .is_some_and(|value| value.is_true() || value.as_text() == Some("true"))
    }

    /// An id. If the text is not a number, Fineract answers 500.
    pub(super) fn id(&self, name: &str) -> Result<Option<i64>, Failure> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|_no_number| Failure::Unmapped(format!("For input string: \"{text}\"")))
    }

    /// A date. An array counts as absent.
    pub(super) fn date(&self, name: &str) -> Result<Option<NaiveDate>, Failure> {
        let Some(text) = self
            .raw(name)
            .and_then(Json::as_text)
            .filter(|text| !text.trim().is_empty())
        else {
            return Ok(None);
        };
        let missing = |what: &str| {
            Failure::invalid(
                format!("validation.msg.missing.{what}.parameter"),
                name,
                Vec::new(),
            )
        };
        let pattern = self
            .text("dateFormat")
            .ok_or_else(|| missing("dateFormat"))?;
        let locale = self.text("locale").ok_or_else(|| missing("locale"))?;
        let date = if locale.starts_with("en") {
            dates::parse(text.trim(), &pattern)
        } else {
            None
        };
        date.map(Some).ok_or_else(|| {
            let args = vec![Json::Null, pattern.as_str().into()];
            Failure::invalid("validation.msg.invalid.dateFormat.format", name, args)
        })
    }

    /// A decimal, sent as a number, or as a text that may contain commas as thousands separators (`99,999.50`).
    pub(super) fn decimal(&self, name: &str) -> Result<Option<Decimal>, Failure> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let is_text = self
            .raw(name)
            .is_some_and(|value| value.as_text().is_some());
        let plain = if is_text {
            text.replace(',', "")
        } else {
            text.clone()
        };
        let parsed = plain.parse().or_else(|_| Decimal::from_scientific(&plain));
        parsed.map(Some).map_err(|_no_number| {
            let item = Item::new(
                "validation.msg.invalid.decimal.format",
                name,
                vec![text.as_str().into(), "en".into()],
            );
            Failure::Invalid(vec![Item {
                value: Some(text),
                ..item
            }])
        })
    }

    /// A number as `changes` in the answer shows it: with the digits that were sent, without thousands separators.
    pub(super) fn number(&self, name: &str) -> Option<Json> {
        let digits = self.raw(name)?.as_word()?;
        Some(Json::Number(digits.replace(',', "")))
    }

    /// An integer. It is an error if the request contains no `locale`.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Failure> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        if !self.has("locale") {
            return Err(Failure::invalid(
                "validation.msg.missing.locale.parameter",
                name,
                Vec::new(),
            ));
        }
        text.replace(',', "")
            .parse()
            .map(Some)
            .map_err(|_no_number| {
                let item = Item::new(
                    "validation.msg.invalid.integer.format",
                    name,
                    vec![text.as_str().into(), "en".into()],
                );
                Failure::Invalid(vec![Item {
                    value: Some(text),
                    ..item
                }])
            })
    }

    /// An integer, or `default` if there is no valid integer.
    pub(super) fn integer_or(&self, name: &str, default: i64) -> i64 {
        self.text(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    }

    /// The id of a value of one of Fineract's enumerations.
    pub(super) fn choice(&self, name: &str) -> Result<Option<i64>, Failure> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_no_number| {
            let item = Item::new(
                "validation.msg.invalid.integer",
                name,
                vec![text.as_str().into()],
            );
            Failure::Invalid(vec![Item {
                value: Some(text),
                ..item
            }])
        })
    }

    /// Refuses the body if it contains a key that the command does not support (`docs/fineract/commands.md`, "Unknown
    /// keys").
    pub(super) fn only(&self, supported: &[&str]) -> Result<(), Failure> {
        let unknown: Vec<Item> = self
            .0
            .iter()
            .map(|(key, _)| key)
            .filter(|key| !supported.contains(key))
            .map(|key| Item::new("error.msg.parameter.unsupported", key, vec![key.into()]))
            .collect();
        if unknown.is_empty() {
            Ok(())
        } else {
            Err(Failure::Invalid(unknown))
        }
    }
}

/// Collects the errors of the fields of one resource.
#[derive(Debug)]
pub(super) struct Checks {
    resource: &'static str,
    items: Vec<Item>,
}

impl Checks {
    pub(super) fn of(resource: &'static str) -> Self {
        Self {
            resource,
            items: Vec::new(),
        }
    }

    pub(super) fn fail(&mut self, parameter: &str, what: &str, args: Vec<Json>) {
        self.items.push(Item::new(
            format!("validation.msg.{}.{parameter}.{what}", self.resource),
            parameter,
            args,
        ));
    }

    /// Adds an item with its own code, which is not built from the name of a field.
    pub(super) fn push(&mut self, item: Item) {
        self.items.push(item);
    }

    pub(super) fn required<T>(&mut self, parameter: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.fail(parameter, "cannot.be.blank", vec![Json::Null]);
        }
        value
    }

    pub(super) fn longest(&mut self, parameter: &str, text: Option<&str>, most: usize) {
        if let Some(text) = text.filter(|text| text.encode_utf16().count() > most) {
            let most = Json::Number(most.to_string());
            self.fail(parameter, "exceeds.max.length", vec![most, text.into()]);
        }
    }

    pub(super) fn positive(&mut self, parameter: &str, number: Option<Decimal>) {
        if let Some(number) = number.filter(|number| *number <= Decimal::ZERO) {
            self.fail(
                parameter,
                "not.greater.than.zero",
                vec![Json::double(number), 0_i64.into()],
            );
        }
    }

    pub(super) fn within(
        &mut self,
        parameter: &str,
        number: Option<i64>,
        (least, most): (i64, i64),
    ) {
        if let Some(number) = number.filter(|number| !(least..=most).contains(number)) {
            let args = vec![number.into(), least.into(), most.into()];
            self.fail(parameter, "is.not.within.expected.range", args);
        }
    }

    /// The refusal that contains all collected errors.
    pub(super) fn into_failure(self) -> Failure {
        Failure::Invalid(self.items)
    }

    pub(super) fn finish(self) -> Result<(), Failure> {
        if self.items.is_empty() {
            Ok(())
        } else {
            Err(Failure::Invalid(self.items))
        }
    }
}
