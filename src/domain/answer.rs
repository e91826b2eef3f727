//! Answers of Fineract.

use std::{fmt, time::Duration};

use serde::Deserialize;

/// A complete HTTP answer of Fineract.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status code.
    pub status: u16,
    /// Whether the answer has the header `x-served-from-cache: true`, which means that Fineract executed nothing for
    /// this request (`docs/fineract/idempotency.md`, "The same key again").
    pub cached: bool,
    /// The unchanged body, or an empty string if there was none.
    pub body: String,
    /// The header `Retry-After`, if it is present and counts seconds.
    pub retry_after: Option<Duration>,
}

/// Without the text of the body, which may have people's data: an answer may get into a log.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("cached", &self.cached)
            .field("body_bytes", &self.body.len())
            .field("retry_after", &self.retry_after)
            .finish()
    }
}

impl Answer {
    /// All values of `userMessageGlobalisationCode` in an error body: first those of the items in `errors`, then the
    /// one at the top level (`docs/fineract/commands.md`, "The error body"). Empty if the body has no such code.
    pub fn codes(&self) -> Vec<String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Item {
            user_message_globalisation_code: Option<String>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Envelope {
            user_message_globalisation_code: Option<String>,
            #[serde(default)]
            errors: Vec<Item>,
        }
        let Ok(envelope) = serde_json::from_str::<Envelope>(&self.body) else {
            return Vec::new();
        };
        envelope
            .errors
            .into_iter()
            .filter_map(|item| item.user_message_globalisation_code)
            .chain(envelope.user_message_globalisation_code)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_does_not_get_into_a_log() {
        let answer = Answer {
            status: 403,
            cached: false,
            body: r#"{"firstname": "Asha"}"#.to_owned(),
            retry_after: None,
        };
        assert_eq!(
            format!("{answer:?}"),
            "Answer { status: 403, cached: false, body_bytes: 21, retry_after: None }"
        );
    }
}
