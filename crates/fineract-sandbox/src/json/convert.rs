use chrono::{Datelike, NaiveDate};
use rust_decimal::Decimal;

use super::{Json, Object};

/// The text of the decimal, rounded to exactly this number of decimal places.
pub(crate) fn fixed(number: Decimal, places: u32) -> String {
    let mut number = number.round_dp(places);
    number.rescale(places);
    number.to_string()
}

impl From<Decimal> for Json {
    /// Stored amounts and rates have six decimal places (`docs/fineract/commands.md`, "Dates and digits in an answer").
    fn from(number: Decimal) -> Self {
        Self::Number(fixed(number, 6))
    }
}

impl From<NaiveDate> for Json {
    /// Fineract writes a date as the list `[year, month, day]`.
    fn from(date: NaiveDate) -> Self {
        let part = |number: i64| Self::Number(number.to_string());
        Self::List(vec![
            part(date.year().into()),
            part(date.month().into()),
            part(date.day().into()),
        ])
    }
}

impl From<i64> for Json {
    fn from(number: i64) -> Self {
        Self::Number(number.to_string())
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Object> for Json {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

impl<T: Into<Json>> From<Vec<T>> for Json {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
