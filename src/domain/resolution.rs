//! How an operator resolves a parked operation.

use serde::{Deserialize, Serialize};

/// An operator's statement how a parked operation ended. A worker accepts the statement only if Fineract does not
/// contradict it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Resolution {
    /// The operation had its effect.
    Succeeded,
    /// The operation had no effect.
    Failed,
}

impl Resolution {
    /// The name in the database and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// The resolution with this name, if it exists.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Succeeded, Self::Failed]
            .into_iter()
            .find(|resolution| resolution.as_str() == name)
    }
}
