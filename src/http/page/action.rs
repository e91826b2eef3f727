//! What an operator did, in words.

use serde_json::Value;

/// What an operator did, by the action and the detail of a row of the audit.
pub(super) fn in_words(action: &str, detail: &Value) -> String {
    let said = |key| detail.get(key).and_then(Value::as_str);
    match (action, said("outcome"), said("retry"), said("action")) {
        ("resolve", Some("succeeded"), ..) => "resolved it: it took effect".to_owned(),
        ("resolve", Some("failed"), ..) => "resolved it: it had no effect".to_owned(),
        ("retry", _, Some(_), _) => "ran it again as a new operation".to_owned(),
        ("retry", ..) => "let the gateway try again".to_owned(),
        ("cancel", ..) => "cancelled it".to_owned(),
        ("hold", ..) => "put it on hold".to_owned(),
        ("release", ..) => "released it".to_owned(),
        ("reveal", ..) => "looked at people's data".to_owned(),
        ("start_repair", _, _, Some(repair)) => format!("started a repair: {repair}"),
        ("stop_repair", ..) => "stopped a repair".to_owned(),
        ("end_hold", ..) => "ended the hold of everything".to_owned(),
        ("confirm_number", ..) => "confirmed a number".to_owned(),
        ("confirm_books", ..) => "confirmed the books".to_owned(),
        ("resend_webhooks", ..) => "sent webhooks again".to_owned(),
        ("create_key", ..) => "created a key".to_owned(),
        ("rotate_key", ..) => "rotated a key".to_owned(),
        ("revoke_key", ..) => "revoked a key".to_owned(),
        // A newer gateway may have written it.
        _ => action.replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_outcome_of_a_resolution_is_told() {
        for (action, detail, expected) in [
            (
                "resolve",
                json!({ "outcome": "succeeded" }),
                "resolved it: it took effect",
            ),
            (
                "resolve",
                json!({ "outcome": "failed", "nothing_waits": true }),
                "resolved it: it had no effect",
            ),
            (
                "retry",
                json!({ "state": "failed", "retry": "0" }),
                "ran it again as a new operation",
            ),
            (
                "retry",
                json!({ "state": "parked" }),
                "let the gateway try again",
            ),
            ("of_a_newer_gateway", json!({}), "of a newer gateway"),
        ] {
            assert_eq!(in_words(action, &detail), expected);
        }
    }
}
