//! The rules for the values of single fields. A message never repeats what the caller sent.

#[cfg(test)]
mod tests;

use chrono::Datelike;
use serde_json::value::RawValue;

use super::deployment::Deployment;
use crate::domain::{Amount, Choice, Day, comparable_reference, is_invisible};

/// Why a value is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InvalidValue {
    /// A stable code.
    pub(super) code: &'static str,
    /// What the value must be.
    pub(super) message: String,
}

type Checked<T> = Result<T, InvalidValue>;

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

/// The length of a text as Fineract counts it.
pub(super) fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// A person's first or last name (`docs/fineract/clients.md`, "Creating a client").
pub(super) fn name(value: &RawValue) -> Checked<String> {
    text(value, 50)
}

/// A mobile number. Fineract accepts any format.
pub(super) fn mobile_no(value: &RawValue) -> Checked<String> {
    text(value, 50)
}

/// An e-mail address. Fineract accepts any format of up to 150 characters.
pub(super) fn email_address(value: &RawValue) -> Checked<String> {
    text(value, 150)
}

/// The highest length of a note.
pub(super) const LONGEST_NOTE: usize = 1000;

/// A note.
pub(super) fn note(value: &RawValue) -> Checked<String> {
    text(value, LONGEST_NOTE)
}

/// A payment reference (UTR). It may be as long as a payment detail in Fineract (`docs/fineract/payments.md`, "Paying
/// out").
pub(super) fn reference(value: &RawValue) -> Checked<String> {
    let reference = text(value, 50)?;
    if reference.contains(char::is_control) {
        return invalid("forbidden_character", "must not contain control characters");
    }
    trimmed(reference)
}

/// The external id of a client or a loan, in a form that Fineract finds by path (`docs/fineract/clients.md`,
/// "External ids").
pub(super) fn external_id(value: &RawValue) -> Checked<String> {
    let id = text(value, 100)?;
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
pub(super) fn day(value: &RawValue) -> Checked<Day> {
    let text = serde_json::from_str::<String>(value.get());
    match text.ok().as_deref().and_then(Day::from_text) {
        Some(day) if (1900..=2100).contains(&day.0.year()) => Ok(day),
        Some(_) => invalid("out_of_range", "must lie between 1900 and 2100"),
        None => invalid(
            "invalid_date",
            "must be a day of the calendar, written like 11 January 2026 (dd MMMM yyyy)",
        ),
    }
}

/// An amount of money: positive, with at most two decimal places.
pub(super) fn money(value: &RawValue) -> Checked<Amount> {
    let amount = decimal(value, 2)?;
    if amount == Amount::ZERO {
        return invalid("zero", "must be more than zero");
    }
    Ok(amount)
}

/// An interest rate, which may be zero.
pub(super) fn rate(value: &RawValue) -> Checked<Amount> {
    decimal(value, 6)
}

/// The highest number of digits, counted without an exponent and without trailing zeros beyond the allowed
/// decimal places.
const LONGEST_NUMBER: usize = 19;

fn decimal(value: &RawValue, decimals: u32) -> Checked<Amount> {
    let number = value.get();
    if number.starts_with('"') {
        return invalid("wrong_type", "must be a JSON number, without quotes");
    }
    if !number.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return invalid("wrong_type", "must be a JSON number");
    }
    if number.starts_with('-') {
        return invalid("negative", "must not be negative");
    }
    let too_long = || InvalidValue {
        code: "too_many_digits",
        message: format!("must have at most {LONGEST_NUMBER} digits"),
    };
    let amount = Amount::from_json_number(number).ok_or_else(too_long)?;
    let cut = amount.without_zeros_beyond(decimals);
    let written = cut.to_string();
    if written.bytes().filter(u8::is_ascii_digit).count() > LONGEST_NUMBER {
        return Err(too_long());
    }
    if cut.0.scale() > decimals {
        return invalid(
            "too_many_decimals",
            format!("must have at most {decimals} decimal places"),
        );
    }
    Ok(cut)
}

/// A positive whole number that fits Fineract's integers. `12.0` and `1.2e1` are 12.
pub(super) fn count(value: &RawValue) -> Checked<i32> {
    let number = value.get();
    let out_of_range = || {
        let message = format!("must lie between 1 and {}", i32::MAX);
        invalid("out_of_range", message)
    };
    if !number.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return invalid("wrong_type", "must be a whole JSON number");
    }
    // A number with too many digits is out of range or not whole.
    let Some(amount) = Amount::from_json_number(number) else {
        return out_of_range();
    };
    match amount.whole() {
        Some(whole) => match i32::try_from(whole) {
            Ok(count) if count > 0 => Ok(count),
            Ok(_) | Err(_) => out_of_range(),
        },
        None => invalid("wrong_type", "must be a whole JSON number"),
    }
}

/// The unit of a loan's term, as Fineract's number (`docs/fineract/loans.md`, "Enum values").
pub(super) fn term_unit(value: &RawValue) -> Checked<Choice> {
    let word = serde_json::from_str::<String>(value.get());
    match word.as_deref() {
        Ok("days") => Ok(Choice { id: 0 }),
        Ok("weeks") => Ok(Choice { id: 1 }),
        Ok("months") => Ok(MONTHS),
        Ok("years") => Ok(Choice { id: 3 }),
        _ => invalid("unknown_value", "must be one of days, weeks, months, years"),
    }
}

/// Months, the default unit of a term.
pub(super) const MONTHS: Choice = Choice { id: 2 };

/// One of the deployment's lenders.
pub(super) fn lender(value: &RawValue, deployment: &Deployment) -> Checked<String> {
    match serde_json::from_str::<String>(value.get()) {
        Ok(lender) if deployment.product_of(&lender).is_some() => Ok(lender),
        _ => {
            let known: Vec<&str> = deployment
                .lenders
                .iter()
                .map(|(name, _)| name.as_str())
                .collect();
            invalid(
                "unknown_value",
                format!("must be one of {}", known.join(", ")),
            )
        }
    }
}
