//! The rules for the values of single fields. A message never repeats what the caller sent.

mod numbers;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

use chrono::Datelike;
use serde_json::value::RawValue;

pub(super) use self::numbers::{count, money, rate};
use super::{deployment::Deployment, field::Kind};
use crate::domain::{Choice, Day, comparable_reference, is_invisible};

/// Why a value is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InvalidValue {
    /// A stable code.
    pub(super) code: &'static str,
    /// What the value must be.
    pub(super) message: String,
}

type Checked<T> = Result<T, InvalidValue>;

/// A rule for the value of a field. Each function that makes a rule gives the same figures to its kind, which callers
/// see in the OpenAPI document, and to its check.
#[derive(Debug)]
pub(super) struct Rule<F> {
    /// What the value must be.
    pub(super) kind: Kind,
    /// Checks and converts the value.
    pub(super) check: F,
}

fn invalid<T>(code: &'static str, message: impl Into<String>) -> Checked<T> {
    Err(InvalidValue {
        code,
        message: message.into(),
    })
}

/// A text that is not blank, has at most `longest` characters and contains no NUL character. Fineract counts characters
/// as UTF-16 units. An optional field must not be blank either, because in an update Fineract would delete the stored
/// value (`docs/fineract/clients.md`, "Changing a client").
fn text(value: &RawValue, longest: usize) -> Checked<String> {
    let Ok(text) = serde_json::from_str::<String>(value.get()) else {
        return invalid("wrong_type", "must be a text");
    };
    if text.trim().is_empty() {
        return invalid("blank", "must not be blank");
    }
    if length(&text) > longest {
        return invalid(
            "too_long",
            format!("must have at most {longest} characters"),
        );
    }
    if text.contains('\0') {
        return invalid("forbidden_character", "must not contain a NUL character");
    }
    Ok(text)
}

fn text_rule(longest: usize) -> Rule<impl Fn(&RawValue) -> Checked<String>> {
    Rule {
        kind: Kind::Text { longest },
        check: move |value: &RawValue| text(value, longest),
    }
}

/// The length of a text as Fineract counts it.
pub(super) fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// A person's first or last name (`docs/fineract/clients.md`, "Creating a client").
pub(super) fn name() -> Rule<impl Fn(&RawValue) -> Checked<String>> {
    text_rule(50)
}

/// A mobile number. Fineract accepts any format.
pub(super) fn mobile_no() -> Rule<impl Fn(&RawValue) -> Checked<String>> {
    text_rule(50)
}

/// An e-mail address. Fineract accepts any format of up to 150 characters.
pub(super) fn email_address() -> Rule<impl Fn(&RawValue) -> Checked<String>> {
    text_rule(150)
}

/// The highest length of a note.
pub(super) const LONGEST_NOTE: usize = 1000;

/// A note.
pub(super) fn note() -> Rule<impl Fn(&RawValue) -> Checked<String>> {
    text_rule(LONGEST_NOTE)
}

/// A payment reference (UTR). It may be as long as a payment detail in Fineract (`docs/fineract/payments.md`, "Paying
/// out").
pub(super) fn reference() -> Rule<impl Fn(&RawValue) -> Checked<String>> {
    let longest = 50;
    Rule {
        kind: Kind::Reference { longest },
        check: move |value: &RawValue| read_reference(value, longest),
    }
}

fn read_reference(value: &RawValue, longest: usize) -> Checked<String> {
    let reference = text(value, longest)?;
    if reference.contains(char::is_control) {
        return invalid("forbidden_character", "must not contain control characters");
    }
    trimmed(reference)
}

/// The external id of a client or a loan, in a form that Fineract finds by path (`docs/fineract/clients.md`,
/// "External ids").
pub(super) fn external_id() -> Rule<impl Fn(&RawValue) -> Checked<String>> {
    let longest = 100;
    Rule {
        kind: Kind::Id { longest },
        check: move |value: &RawValue| read_external_id(value, longest),
    }
}

fn read_external_id(value: &RawValue, longest: usize) -> Checked<String> {
    let id = text(value, longest)?;
    if id.contains(|c: char| c.is_control() || matches!(c, '%' | '/' | '\\' | ';')) {
        return invalid(
            "forbidden_character",
            r"must not contain any of % / \ ; or a control character",
        );
    }
    if matches!(id.as_str(), "." | "..") {
        return invalid(
            "forbidden_character",
            "must not consist of dots, because a path loses them",
        );
    }
    trimmed(id)
}

/// Refuses invisible characters in a new id or reference. People, and sometimes Fineract, would confuse such an id or
/// reference with another one.
pub(super) fn visible(name: &str) -> Checked<()> {
    if name.contains(is_invisible) {
        return invalid(
            "invisible_character",
            "must not contain invisible characters, such as a zero-width blank or a byte order mark",
        );
    }
    Ok(())
}

/// Refuses a new reference that contains invisible characters, or that consists only of blanks and dashes.
pub(super) fn distinctive(reference: &str) -> Checked<()> {
    visible(reference)?;
    if comparable_reference(reference).is_empty() {
        return invalid("blank", "must not consist of blanks and dashes");
    }
    Ok(())
}

fn trimmed(text: String) -> Checked<String> {
    if text.trim() == text {
        Ok(text)
    } else {
        invalid("outer_blank", "must not begin or end with a blank")
    }
}

/// A calendar date.
pub(super) fn day() -> Rule<impl Fn(&RawValue) -> Checked<Day>> {
    let (first_year, last_year) = (1900, 2100);
    Rule {
        kind: Kind::Day {
            first_year,
            last_year,
        },
        check: move |value: &RawValue| read_day(value, first_year..=last_year),
    }
}

fn read_day(value: &RawValue, years: RangeInclusive<i32>) -> Checked<Day> {
    let text = serde_json::from_str::<String>(value.get());
    match text.ok().as_deref().and_then(Day::from_text) {
        Some(day) if years.contains(&day.0.year()) => Ok(day),
        Some(_) => {
            let (first, last) = years.into_inner();
            let message = format!("must lie between {first} and {last}");
            invalid("out_of_range", message)
        }
        None => invalid(
            "invalid_date",
            "must be a day of the calendar, written like 11 January 2026 (dd MMMM yyyy)",
        ),
    }
}

/// The units of a loan's term. The index of each is Fineract's number (`docs/fineract/loans.md`, "Enum values").
const TERM_UNITS: &[&str] = &["days", "weeks", "months", "years"];

/// The unit of a loan's term, as Fineract's number.
pub(super) fn term_unit() -> Rule<impl Fn(&RawValue) -> Checked<Choice>> {
    Rule {
        kind: Kind::Word(TERM_UNITS),
        check: |value: &RawValue| {
            let word = serde_json::from_str::<String>(value.get()).unwrap_or_default();
            let id = TERM_UNITS.iter().position(|unit| *unit == word);
            let Some(id) = id.and_then(|id| i32::try_from(id).ok()) else {
                let known = TERM_UNITS.join(", ");
                return invalid("unknown_value", format!("must be one of {known}"));
            };
            Ok(Choice { id })
        },
    }
}

/// Months, the default unit of a term.
pub(super) const MONTHS: Choice = Choice { id: 2 };

/// One of the deployment's lenders.
pub(super) fn lender(deployment: &Deployment) -> Rule<impl Fn(&RawValue) -> Checked<String>> {
    Rule {
        kind: Kind::Lender,
        check: |value: &RawValue| match serde_json::from_str::<String>(value.get()) {
            Ok(lender) if deployment.product_of(&lender).is_some() => Ok(lender),
            _ => {
                let known = Kind::Lender.words(deployment).unwrap_or_default();
                let message = format!("must be one of {}", known.join(", "));
                invalid("unknown_value", message)
            }
        },
    }
}
