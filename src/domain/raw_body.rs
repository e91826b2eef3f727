//! Bodies that the gateway passes on unchanged.

use serde_json::value::{RawValue, to_raw_value};

/// A body as raw JSON: numbers keep their digits, and keys their order. A body that is not JSON, such as a proxy's
/// page, becomes a JSON string. An empty body becomes `None`.
pub fn untouched(body: String) -> Option<Box<RawValue>> {
    if body.trim().is_empty() {
        return None;
    }
    if serde_json::from_str::<&RawValue>(&body).is_ok() {
        RawValue::from_string(body).ok()
    } else {
        to_raw_value(&body).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fineracts_body_is_passed_on_untouched() {
        for (body, expected) in [
            ("", None),
            (" \n", None),
            (r#"{"b":1.10,"a":1e5}"#, Some(r#"{"b":1.10,"a":1e5}"#)),
            ("{\"a\": 100000.10}\n", Some("{\"a\": 100000.10}")),
            ("<h1>\"502\"</h1>", Some(r#""<h1>\"502\"</h1>""#)),
            ("{\"a\":", Some(r#""{\"a\":""#)),
        ] {
            let raw = untouched(body.to_owned());
            assert_eq!(raw.as_deref().map(RawValue::get), expected, "{body}");
        }
    }
}
