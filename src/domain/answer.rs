//! Answers of Fineract.

use std::time::Duration;

use serde::Deserialize;

/// A complete HTTP answer of Fineract.
#[derive(Clone, Debug, PartialEq, Eq)]
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
