//! Decimal numbers that keep exactly the digits that the caller sent.

use std::{borrow::Cow, fmt};

use rust_decimal::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::value::RawValue;

/// A decimal number from JSON: an amount of money or an interest rate.
///
/// The value is read from the text of the JSON number, keeps its trailing zeros, and is written as a JSON number
/// without an exponent: `100000.10` stays `100000.10`, `1e5` becomes `100000`. The value is never converted to a
/// floating-point number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(pub Decimal);

impl Amount {
    /// The amount zero.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Cuts the value to the given number of decimal places, if this removes only zeros: with 2 places,
    /// `100000.000000` becomes `100000.00`.
    #[must_use]
    pub fn without_zeros_beyond(self, decimals: u32) -> Self {
        let mut cut = self.0;
        if cut.normalize().scale() <= decimals && cut.scale() > decimals {
            // This removes nothing but zeros.
            cut.rescale(decimals);
        }
        Self(cut)
    }

    /// The value as an integer (`12.0` is 12), or `None` if it has a fraction.
    pub fn whole(self) -> Option<i128> {
        let value = self.0.normalize();
        (value.scale() == 0).then(|| value.mantissa())
    }

    /// Parses a JSON number, with or without an exponent. Returns `None` if the number has more than 28 digits, not
    /// counting trailing zeros.
    pub fn from_json_number(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let value = Decimal::from_str_exact(mantissa)
            .or_else(|_| Decimal::from_str_exact(without_last_zeros(mantissa)))
            .ok()?;
        if value.is_zero() && exponent > 0 {
            return Some(Self::ZERO);
        }
        let scale = i64::from(value.scale()) - i64::from(exponent);
        if scale >= 0 {
            let mut shifted = value;
            shifted.set_scale(u32::try_from(scale).ok()?).ok()?;
            return Some(Self(shifted));
        }
        let factor = 10_i128.checked_pow(u32::try_from(-scale).ok()?)?;
        let digits = value.mantissa().checked_mul(factor)?;
        Decimal::try_from_i128_with_scale(digits, 0).ok().map(Self)
    }
}

/// Removes the trailing zeros of a number's decimal places.
fn without_last_zeros(number: &str) -> &str {
    if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string())
            .map_err(ser::Error::custom)?
            .serialize(serializer)
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "number",
            "description": "A decimal number with exactly the digits that were sent. Do not read it as a binary fraction.",
        })
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Self::from_json_number(raw.get()).ok_or_else(|| de::Error::custom("no decimal number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stay_as_they_were() {
        for (text, written) in [
            ("100000.10", "100000.10"),
            ("1e5", "100000"),
            ("1.25e2", "125"),
            ("1.250e2", "125.0"),
            ("12e-1", "1.2"),
            ("0.000001", "0.000001"),
            ("-3", "-3"),
            ("100000.000000", "100000.000000"),
            ("1.50000000000000000000000000000000000000", "1.5"),
            ("100000.0000000000000000000000000000000", "100000"),
            ("0e400", "0"),
            ("0.00e400", "0"),
        ] {
            let amount = Amount::from_json_number(text).unwrap();
            assert_eq!(serde_json::to_string(&amount).unwrap(), written, "{text}");
        }
        assert_eq!(Amount::from_json_number("1e400"), None);
        assert_eq!(Amount::from_json_number("true"), None);
    }
}
