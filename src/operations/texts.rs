//! Payloads that people write as texts: in the cells of a table, or on a command line.

use serde_json::value::{RawValue, to_raw_value};

use super::{Deployment, Entry, InvalidPayload, pointer_of};

/// Whether an operation type requires a number in this field.
pub fn requires_number(entry: &Entry, key: &str) -> bool {
    let payload = object([(key, json_text("text"))]);
    // No rule about the type of a value depends on the deployment.
    let deployment = Deployment {
        office_id: 1,
        payment_type: None,
        lenders: Vec::new(),
    };
    let checked = (entry.check)(&payload, &deployment);
    checked.is_err_and(|InvalidPayload { problems }| {
        let refuses_text = |code| code == "wrong_type";
        problems
            .iter()
            .any(|problem| refuses_text(problem.code) && problem.pointer == pointer_of(key))
    })
}

/// Whether a text is written like a JSON number.
pub fn is_json_number(text: &str) -> bool {
    text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        && serde_json::from_str::<&RawValue>(text).is_ok_and(|raw| raw.get() == text)
}

/// A text as a JSON string.
pub fn json_text(text: &str) -> String {
    to_raw_value(text)
        .map(|raw| raw.get().to_owned())
        .unwrap_or_default()
}

/// A JSON object with these keys and values, which are JSON. A key may appear more than once: the check of a payload
/// reports it.
pub fn object<'a>(members: impl IntoIterator<Item = (&'a str, String)>) -> Box<RawValue> {
    let members: Vec<String> = members
        .into_iter()
        .map(|(key, value)| format!("{}:{value}", json_text(key)))
        .collect();
    RawValue::from_string(format!("{{{}}}", members.join(","))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_numbers_are_numbers() {
        for (text, expected) in [
            ("100000.10", true),
            ("-1", true),
            ("1e5", true),
            ("0", true),
            ("007", false),
            ("1.", false),
            ("+1", false),
            (" 1", false),
            ("1 ", false),
            ("1,000", false),
            ("true", false),
            ("", false),
        ] {
            assert_eq!(is_json_number(text), expected, "{text:?}");
        }
    }
}
