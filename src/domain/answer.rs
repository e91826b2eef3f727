//! What Fineract said.

use std::time::Duration;

use serde::Deserialize;

/// A whole HTTP answer of Fineract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Whether `x-served-from-cache: true` stood on it: nothing was executed now
    /// (`docs/fineract/idempotency.md`, "The same key again").
    pub cached: bool,
    /// The body as it came; empty where there was none.
    pub body: String,
    /// `Retry-After`, where there was one in seconds.
    pub retry_after: Option<Duration>,
}

impl Answer {
    /// Every `userMessageGlobalisationCode` of an error body, the items' first, then the top's
    /// (`docs/fineract/commands.md`, "The error body"); none where the body is no error of Fineract's.
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
