//! How a person says that an operation ended.

use serde::Deserialize;

/// How an operator says that a parked operation ended; believed only when Fineract agrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resolution {
    /// With its effect.
    Succeeded,
    /// Without an effect.
    Failed,
}

impl Resolution {
    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// The resolution of that word, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Succeeded, Self::Failed]
            .into_iter()
            .find(|resolution| resolution.as_str() == name)
    }
}
