//! JSON that preserves the order of keys and the digits of numbers. A number such as `80000.50` is written as it was
//! read. Amounts and rates from the books are written with six decimal places.

use rust_decimal::Decimal;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

mod convert;
mod write;

pub(super) use convert::fixed;

/// A JSON value. A number is stored as its text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Object),
}

/// A JSON object: its members in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Object(Vec<(String, Json)>);

/// Builds an [`Object`]. Omits the members with the value null, as Fineract does.
macro_rules! object {
    ($($key:literal: $value:expr),* $(,)?) => {
        $crate::json::Object::default()$(.with($key, $value))*
    };
}
pub(super) use object;

/// The reason why Fineract does not accept a text as JSON.
#[derive(Debug, PartialEq)]
pub(super) enum Unreadable {
    /// The text is not JSON.
    Broken,
    /// An object repeats a key.
    RepeatedKey,
}

impl Json {
    /// Parses a text. Numbers keep all their digits.
    pub(super) fn parse(text: &str) -> Result<Self, Unreadable> {
        let raw: &RawValue = read(text)?;
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'{') => {
                let Members(members) = read(text)?;
                let mut object = Object::default();
                for (key, value) in members {
                    if object.get(&key).is_some() {
                        return Err(Unreadable::RepeatedKey);
                    }
                    object.0.push((key, Self::parse(value.get())?));
                }
                Ok(Self::Object(object))
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = read(text)?;
                items
                    .into_iter()
                    .map(|item| Self::parse(item.get()))
                    .collect::<Result<_, _>>()
                    .map(Self::List)
            }
            Some(b'"') => read(text).map(Self::Text),
            Some(b't' | b'f') => read(text).map(Self::Bool),
            Some(b'n') => Ok(Self::Null),
            _ => Ok(Self::Number(text.to_owned())),
        }
    }

    /// A number with its own decimal places, without added zeros.
    pub(super) fn plain(number: Decimal) -> Self {
        Self::Number(number.to_string())
    }

    /// A number as Java prints a double: `1.0`, `99.99`.
    pub(super) fn double(number: Decimal) -> Self {
        let number = number.normalize();
        Self::Number(if number.scale() == 0 {
            format!("{number}.0")
        } else {
            number.to_string()
        })
    }

    /// A number with two decimal places, as many as the currency has.
    pub(super) fn cents(number: Decimal) -> Self {
        Self::Number(fixed(number, 2))
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// The text of a string or number.
    pub(super) fn as_word(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    pub(super) fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    pub(super) fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::Object(_) => None,
        }
    }

    pub(super) fn as_decimal(&self) -> Option<Decimal> {
        match self {
            Self::Number(text) => text
                .parse()
                .or_else(|_| Decimal::from_scientific(text))
                .ok(),
            Self::Null | Self::Bool(_) | Self::Text(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    pub(super) fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Number(text) => text.parse().ok(),
            Self::Null | Self::Bool(_) | Self::Text(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    pub(super) fn is_true(&self) -> bool {
        *self == Self::Bool(true)
    }
}

impl Object {
    /// Adds a member, unless its value is null.
    pub(super) fn with(mut self, key: &str, value: impl Into<Json>) -> Self {
        self.set(key, value);
        self
    }

    /// Adds a member. If the object already has the key, replaces the value and keeps the position of the key. Does
    /// nothing if the value is null.
    pub(super) fn set(&mut self, key: &str, value: impl Into<Json>) {
        let value = value.into();
        match self.0.iter_mut().find(|(name, _)| name == key) {
            _ if value == Json::Null => {}
            Some((_, old)) => *old = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    /// Adds the members of another object.
    pub(super) fn and(self, other: &Self) -> Self {
        other
            .iter()
            .fold(self, |all, (key, value)| all.with(key, value.clone()))
    }

    /// Adds a member, even if its value is null. The stored copy of a result contains such members.
    pub(super) fn with_null(mut self, key: &str, value: impl Into<Json>) -> Self {
        self.0.push((key.to_owned(), value.into()));
        self
    }

    pub(super) fn without(mut self, keys: &[&str]) -> Self {
        self.0.retain(|(key, _)| !keys.contains(&key.as_str()));
        self
    }

    pub(super) fn get(&self, key: &str) -> Option<&Json> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Moves these members to the front, in this order.
    pub(super) fn beginning_with(mut self, keys: &[&str]) -> Self {
        let place = |key: &str| keys.iter().position(|first| *first == key);
        self.0
            .sort_by_key(|(key, _)| place(key).unwrap_or(keys.len()));
        self
    }

    /// Sorts the members into the order of Java's `HashMap` (`docs/fineract/commands.md`, "The result body of each
    /// command").
    pub(super) fn in_hash_order(mut self) -> Self {
        let capacity = if self.0.len() > 12 { 32 } else { 16 };
        self.0.sort_by_key(|(key, _)| {
            let hash = key.encode_utf16().fold(0_u32, |hash, unit| {
                hash.wrapping_mul(31).wrapping_add(u32::from(unit))
            });
            (hash ^ (hash >> 16)) & (capacity - 1)
        });
        self
    }
}

fn read<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, Unreadable> {
    serde_json::from_str(text).map_err(|_broken| Unreadable::Broken)
}

struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}
