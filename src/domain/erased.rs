//! Erases people's data in the JSON of payloads, commands and answers, for ever.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::masked::{MASK, PLAIN};

/// The keys besides [`PLAIN`] whose texts are kept: references of payments and terms. Every other text is erased, so a field
/// that this list does not know is erased too.
const KEPT: &[&str] = &[
    "currencyCode",
    "principal",
    "receiptNumber",
    "transactionAmount",
    "transactionProcessingStrategyCode",
    "utr_payment_id",
];

/// The keys whose numbers are erased. Other numbers are ids, amounts and dates. `value` is what Fineract quotes in an error.
const PERSONAL_NUMBERS: &[&str] = &["mobileNo", "value"];

/// The fields of an object in their order, also if a key occurs twice.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// The same text, in which names, phones, mails, notes and every other text of people is erased. Ids, amounts, dates and codes
/// stay as they are, word for word. A text that is not JSON is erased as a whole.
pub fn erased(text: &str) -> String {
    let Ok(value) = serde_json::from_str::<&RawValue>(text) else {
        return MASK.to_owned();
    };
    let mut written = String::with_capacity(text.len());
    write(value.get(), "", &mut written);
    written
}

/// Writes a value of a field with this key.
fn write(value: &str, key: &str, written: &mut String) {
    if let Ok(Fields(fields)) = serde_json::from_str(value) {
        written.push('{');
        for (place, (key, value)) in fields.into_iter().enumerate() {
            if place > 0 {
                written.push(',');
            }
            written.push_str(&serde_json::Value::from(key.as_str()).to_string());
            written.push(':');
            write(value.get(), &key, written);
        }
        written.push('}');
    } else if let Ok(values) = serde_json::from_str::<Vec<&RawValue>>(value) {
        written.push('[');
        for (place, value) in values.into_iter().enumerate() {
            if place > 0 {
                written.push(',');
            }
            write(value.get(), key, written);
        }
        written.push(']');
    } else if is_kept(value, key) {
        written.push_str(value);
    } else {
        written.push('"');
        written.push_str(MASK);
        written.push('"');
    }
}

/// Whether a value that is no object and no list is kept.
fn is_kept(value: &str, key: &str) -> bool {
    match value.as_bytes().first() {
        Some(b'"') => PLAIN.contains(&key) || KEPT.contains(&key),
        Some(b'-' | b'0'..=b'9') => !PERSONAL_NUMBERS.contains(&key),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_people_are_erased_and_the_rest_stays_word_for_word() {
        for (text, expected) in [
            (
                r#"{"firstname":"Jayesh","mobileNo":"9966","externalId":"C-1","activationDate":"01 January 2026"}"#,
                r#"{"firstname":"***","mobileNo":"***","externalId":"C-1","activationDate":"01 January 2026"}"#,
            ),
            (
                r#"{"principal": 100000.10, "charges":[{"chargeId":1,"amount":1e3}], "note":"call Jayesh"}"#,
                r#"{"principal":100000.10,"charges":[{"chargeId":1,"amount":1e3}],"note":"***"}"#,
            ),
            (
                r#"{"utr_payment_id":"HDFC-1","transactionAmount":"10.50","note":null}"#,
                r#"{"utr_payment_id":"HDFC-1","transactionAmount":"10.50","note":null}"#,
            ),
            (
                r#"{"errors":[{"developerMessage":"Jayesh","parameterName":"mobileNo","args":[{"value":9966}]}]}"#,
                r#"{"errors":[{"developerMessage":"***","parameterName":"mobileNo","args":[{"value":"***"}]}]}"#,
            ),
            (
                r#"{"a\"b":true,"transactionDate":[2026,1,11],"externalId":{"name":"x"}}"#,
                r#"{"a\"b":true,"transactionDate":[2026,1,11],"externalId":{"name":"***"}}"#,
            ),
            (r#""Jayesh""#, r#""***""#),
            ("<html>Jayesh</html>", "***"),
            ("", "***"),
        ] {
            assert_eq!(erased(text), expected);
            assert_eq!(erased(&erased(text)), expected, "erased twice");
        }
    }
}
