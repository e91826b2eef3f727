//! The settings that decide which idempotency keys Fineract honours. They belong to a process of Fineract, so they
//! change only with a restart.

use super::call::Call;
use super::json::{Json, Object};
use super::operations::Operation;

/// The default header of idempotency keys.
const DEFAULT_HEADER: &str = "Idempotency-Key";

/// The header of idempotency keys, and the commands whose keys are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySettings {
    header: String,
    ignored: Ignored,
}

/// The commands whose keys are ignored. Newer releases of Fineract ignore the keys of the commands that use the new
/// command pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ignored {
    All,
    /// The commands that need one of these permissions.
    Of(Vec<String>),
}

impl Default for KeySettings {
    fn default() -> Self {
        Self {
            header: DEFAULT_HEADER.to_owned(),
            ignored: Ignored::Of(Vec::new()),
        }
    }
}

impl KeySettings {
    /// Reads keys from this header.
    #[must_use]
    pub fn under(self, header: &str) -> Self {
        Self {
            header: header.to_owned(),
            ..self
        }
    }

    /// Ignores every key.
    #[must_use]
    pub fn ignoring_all(self) -> Self {
        Self {
            ignored: Ignored::All,
            ..self
        }
    }

    /// Reads `{"header": "…", "ignored": true | ["UPDATE_CLIENT", …]}`. Both members are optional.
    pub(super) fn read(json: &Object) -> Self {
        let header = json
            .get("header")
            .and_then(Json::as_text)
            .unwrap_or(DEFAULT_HEADER);
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

    /// The key under which a command is recorded. `None` if the caller sent no key, or if the key of this command is
    /// ignored.
    pub(super) fn key(&self, call: &Call, operation: &Operation) -> Option<String> {
        let is_ignored = match &self.ignored {
            Ignored::All => true,
            Ignored::Of(names) => names.contains(&operation.permission()),
        };
        let key = call.header(&self.header).filter(|_| !is_ignored);
        key.map(|key| key.trim().to_owned())
    }

    /// The key that the caller has sent, whether or not Fineract honours it.
    pub(super) fn sent<'a>(&self, call: &'a Call) -> Option<&'a str> {
        call.header(&self.header)
            .or_else(|| call.header(DEFAULT_HEADER))
            .map(str::trim)
    }
}
