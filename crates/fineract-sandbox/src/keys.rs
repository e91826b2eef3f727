//! Which idempotency keys a server looks at: a setting of its process, so that it changes only with that.

use super::call::Call;
use super::json::{Json, Object};
use super::operations::Operation;

/// The header that Fineract looks at unless it is told otherwise.
const USUAL: &str = "Idempotency-Key";

/// Under which header keys are looked for, and for which commands they are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySettings {
    header: String,
    ignored: Ignored,
}

/// The commands whose keys are ignored, as a new command pipeline does.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ignored {
    All,
    /// By their permissions.
    Of(Vec<String>),
}

impl Default for KeySettings {
    fn default() -> Self {
        Self {
            header: USUAL.to_owned(),
            ignored: Ignored::Of(Vec::new()),
        }
    }
}

impl KeySettings {
    /// Keys are looked for under this header.
    #[must_use]
    pub fn under(self, header: &str) -> Self {
        Self {
            header: header.to_owned(),
            ..self
        }
    }

    /// No key is looked at.
    #[must_use]
    pub fn ignoring_all(self) -> Self {
        Self {
            ignored: Ignored::All,
            ..self
        }
    }

    /// Reads `{"header": "…", "ignored": true | ["UPDATE_CLIENT", …]}`, both optional.
    pub(super) fn read(json: &Object) -> Self {
        let header = json.get("header").and_then(Json::as_text).unwrap_or(USUAL);
        let ignored = json.get("ignored");
        let listed = ignored.and_then(Json::as_list).unwrap_or_default();
        let names = listed.iter().filter_map(Json::as_text).map(str::to_owned);
        Self {
            header: header.to_owned(),
            ignored: if ignored.is_some_and(Json::is_true) {
                Ignored::All
            } else {
                Ignored::Of(names.collect())
            },
        }
    }

    /// The key under which a command is stored; none: one that nobody knows.
    pub(super) fn key(&self, call: &Call, operation: &Operation) -> Option<String> {
        let is_ignored = match &self.ignored {
            Ignored::All => true,
            Ignored::Of(names) => names.contains(&operation.permission()),
        };
        let key = call.header(&self.header).filter(|_| !is_ignored);
        key.map(|key| key.trim().to_owned())
    }

    /// The key that the caller has sent, whether or not it is looked at.
    pub(super) fn sent<'a>(&self, call: &'a Call) -> Option<&'a str> {
        call.header(&self.header)
            .or_else(|| call.header(USUAL))
            .map(str::trim)
    }
}
