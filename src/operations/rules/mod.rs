//! What a single field may hold. A message never repeats what the caller sent.

#[cfg(test)]
mod tests;

use chrono::Datelike;
use serde_json::value::RawValue;

use super::{Choice, Day, Deployment};
use crate::domain::{Amount, comparable_reference, is_invisible};

/// Why a field's value is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// A stable code.
    pub(super) code: &'static str,
    /// What the field must be.
    pub(super) message: String,
}

type Checked<T> = Result<T, Fault>;

fn fault<T>(code: &'static str, message: impl Into<String>) -> Checked<T> {
    Err(Fault {
        code,
        message: message.into(),
    })
}

/// A text with something in it, of at most `longest` characters as Fineract counts them (UTF-16
/// units), without NUL. Blank is refused in optional fields as well: on an update Fineract takes it
/// for "delete what is stored" (`docs/fineract/clients.md`, "Changing a client").
fn text(value: &RawValue, longest: usize) -> Checked<String> {
    let Ok(text) = serde_json::from_str::<String>(value.get()) else {
        return fault("wrong_type", "must be a text");
    };
    if text.trim().is_empty() {
        return fault("blank", "must not be blank");
    }
    if length(&text) > longest {
        return fault(
            "too_long",
            format!("must have at most {longest} characters"),
        );
    }
    if text.contains('\0') {
        return fault("forbidden_character", "must not contain a NUL character");
    }
    Ok(text)
}

/// How long Fineract finds a text.
pub(super) fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// A person's first or last name (`docs/fineract/clients.md`, "Creating a client").
pub(super) fn name(value: &RawValue) -> Checked<String> {
    text(value, 50)
}

/// A mobile number; Fineract knows no format.
pub(super) fn mobile_no(value: &RawValue) -> Checked<String> {
    text(value, 50)
}

/// An e-mail address; Fineract knows no format, but its column ends at 150.
pub(super) fn email_address(value: &RawValue) -> Checked<String> {
    text(value, 150)
}

/// The longest note on a command.
pub(super) const LONGEST_NOTE: usize = 1000;

/// A note on a command.
pub(super) fn note(value: &RawValue) -> Checked<String> {
    text(value, LONGEST_NOTE)
}

/// A payment reference (UTR), as long as a payment detail may be (`docs/fineract/payments.md`, "Paying out").
pub(super) fn reference(value: &RawValue) -> Checked<String> {
    let reference = text(value, 50)?;
    if reference.contains(char::is_control) {
        return fault("forbidden_character", "must not contain control characters");
    }
    trimmed(reference)
}

/// The external id of a client or a loan, as Fineract finds it again by path (`docs/fineract/clients.md`, "External
/// ids").
pub(super) fn external_id(value: &RawValue) -> Checked<String> {
    let id = text(value, 100)?;
    if id.contains(|c: char| c.is_control() || matches!(c, '%' | '/' | '\\' | ';')) {
        return fault(
            "forbidden_character",
            r"must not contain any of % / \ ; or a control character",
        );
    }
    if matches!(id.as_str(), "." | "..") {
        return fault(
            "forbidden_character",
            "must not consist of dots: a path loses them",
        );
    }
    trimmed(id)
}

/// A name that is new here must look like itself: with what cannot be seen in it, it would be taken for
/// another, by people and by Fineract in turn.
pub(super) fn visible(name: &str) -> Checked<()> {
    if name.contains(is_invisible) {
        return fault(
            "invisible_character",
            "must not contain characters that cannot be seen, such as a zero-width blank or a byte order mark",
        );
    }
    Ok(())
}

/// A reference that is new here: visible, and with something in it that tells it from others.
pub(super) fn telling(reference: &str) -> Checked<()> {
    visible(reference)?;
    if comparable_reference(reference).is_empty() {
        return fault("blank", "must not consist of blanks and dashes");
    }
    Ok(())
}

fn trimmed(text: String) -> Checked<String> {
    if text.trim() == text {
        Ok(text)
    } else {
        fault("outer_blank", "must not begin or end with a blank")
    }
}

/// A day of the calendar.
pub(super) fn day(value: &RawValue) -> Checked<Day> {
    let text = serde_json::from_str::<String>(value.get());
    match text.ok().as_deref().and_then(Day::from_text) {
        Some(day) if (1900..=2100).contains(&day.0.year()) => Ok(day),
        Some(_) => fault("out_of_range", "must lie between 1900 and 2100"),
        None => fault(
            "invalid_date",
            "must be a day of the calendar, written like 11 January 2026 (dd MMMM yyyy)",
        ),
    }
}

/// An amount that moves: more than nothing, in the currency's smallest unit at the finest.
pub(super) fn money(value: &RawValue) -> Checked<Amount> {
    let amount = decimal(value, 2)?;
    if amount == Amount::ZERO {
        return fault("zero", "must be more than zero");
    }
    Ok(amount)
}

/// An interest rate; it may be nothing.
pub(super) fn rate(value: &RawValue) -> Checked<Amount> {
    decimal(value, 6)
}

/// Both are counted on the number written out, without an exponent; zeros at its end are no decimals.
const LONGEST_NUMBER: usize = 19;

fn decimal(value: &RawValue, decimals: u32) -> Checked<Amount> {
    let number = value.get();
    if number.starts_with('"') {
        return fault("wrong_type", "must be a JSON number, without quotes");
    }
    if !number.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return fault("wrong_type", "must be a JSON number");
    }
    if number.starts_with('-') {
        return fault("negative", "must not be negative");
    }
    let too_long = || Fault {
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
        return fault(
            "too_many_decimals",
            format!("must have at most {decimals} digits after the point"),
        );
    }
    Ok(cut)
}

/// A count: a whole number above zero, as large as Fineract's integers; `12.0` and `1.2e1` are 12.
pub(super) fn count(value: &RawValue) -> Checked<i32> {
    let number = value.get();
    let out_of_range = || {
        let message = format!("must lie between 1 and {}", i32::MAX);
        fault("out_of_range", message)
    };
    if !number.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return fault("wrong_type", "must be a whole JSON number");
    }
    // A number that has more digits than fit is out of range, or no whole one.
    let Some(amount) = Amount::from_json_number(number) else {
        return out_of_range();
    };
    match amount.whole() {
        Some(whole) => match i32::try_from(whole) {
            Ok(count) if count > 0 => Ok(count),
            Ok(_) | Err(_) => out_of_range(),
        },
        None => fault("wrong_type", "must be a whole JSON number"),
    }
}

/// A unit of a loan's term: Fineract's number for it (`docs/fineract/loans.md`, "Enum values").
pub(super) fn term_unit(value: &RawValue) -> Checked<Choice> {
    let word = serde_json::from_str::<String>(value.get());
    match word.as_deref() {
        Ok("days") => Ok(Choice { id: 0 }),
        Ok("weeks") => Ok(Choice { id: 1 }),
        Ok("months") => Ok(MONTHS),
        Ok("years") => Ok(Choice { id: 3 }),
        _ => fault("unknown_value", "must be one of days, weeks, months, years"),
    }
}

/// Months: the unit of a term whose unit is not given.
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
            fault(
                "unknown_value",
                format!("must be one of {}", known.join(", ")),
            )
        }
    }
}
