//! The rules for amounts, rates and counts.

use serde_json::value::RawValue;

use super::{Checked, InvalidValue, Rule, invalid};
use crate::{domain::Amount, operations::Kind};

/// An amount of money: positive, with at most two decimal places.
pub(in crate::operations) fn money() -> Rule<impl Fn(&RawValue) -> Checked<Amount>> {
    decimal_rule(2, false)
}

/// An interest rate, which may be zero.
pub(in crate::operations) fn rate() -> Rule<impl Fn(&RawValue) -> Checked<Amount>> {
    decimal_rule(6, true)
}

fn decimal_rule(places: u32, may_be_zero: bool) -> Rule<impl Fn(&RawValue) -> Checked<Amount>> {
    Rule {
        kind: Kind::Decimal {
            digits: LONGEST_NUMBER,
            places,
            may_be_zero,
        },
        check: move |value: &RawValue| {
            let amount = decimal(value, places)?;
            if amount == Amount::ZERO && !may_be_zero {
                return invalid("zero", "must be more than zero");
            }
            Ok(amount)
        },
    }
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
pub(in crate::operations) fn count() -> Rule<impl Fn(&RawValue) -> Checked<i32>> {
    Rule {
        kind: Kind::Count { largest: i32::MAX },
        check: read_count,
    }
}

fn read_count(value: &RawValue) -> Checked<i32> {
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
