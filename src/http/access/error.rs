//! The errors about credentials, besides a missing scope and a missing or unknown credential.

use axum::http::StatusCode;

use super::not_permitted::NotPermitted;
use crate::store::CredentialError;

/// An error about a credential.
#[derive(Debug, thiserror::Error)]
pub(in crate::http) enum AccessError {
    /// The credential is bound to other addresses.
    #[error("This credential may not be used from this address.")]
    ForeignAddress,
    /// The credential may not send such an operation.
    #[error("This credential does not permit this operation: it {}.", .0.must())]
    NotPermitted(NotPermitted),
    /// The credential has used up its requests of this minute. In so many seconds, it has new ones.
    #[error("This credential has used up its requests of this minute; try again later.")]
    RateUsedUp(u16),
    /// Too many wrong secrets came from the address. In so many seconds, secrets are looked at again.
    #[error("Too many wrong secrets came from this address; try again later.")]
    TooManyWrongSecrets(u16),
    /// A key was not created or changed.
    #[error(transparent)]
    Key(CredentialError),
}

impl AccessError {
    /// The HTTP status.
    pub(in crate::http) fn status(&self) -> StatusCode {
        match self {
            Self::ForeignAddress | Self::NotPermitted(_) => StatusCode::FORBIDDEN,
            Self::RateUsedUp(_) | Self::TooManyWrongSecrets(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Key(CredentialError::Unknown) => StatusCode::NOT_FOUND,
            Self::Key(CredentialError::NameInUse | CredentialError::Expired) => {
                StatusCode::CONFLICT
            }
            Self::Key(CredentialError::Store(_)) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The stable name that callers may rely on.
    pub(in crate::http) fn code(&self) -> &'static str {
        match self {
            Self::ForeignAddress => "foreign_address",
            Self::NotPermitted(not) => not.code(),
            Self::RateUsedUp(_) => "rate_used_up",
            Self::TooManyWrongSecrets(_) => "too_many_wrong_secrets",
            Self::Key(CredentialError::Unknown) => "unknown_key",
            Self::Key(CredentialError::NameInUse) => "key_name_in_use",
            Self::Key(CredentialError::Expired) => "key_expired",
            Self::Key(CredentialError::Store(_)) => "database_unavailable",
        }
    }

    /// In how many seconds another try may succeed, if that is known.
    pub(in crate::http) fn retry_after(&self) -> Option<u16> {
        match self {
            Self::RateUsedUp(seconds) | Self::TooManyWrongSecrets(seconds) => Some(*seconds),
            Self::ForeignAddress | Self::NotPermitted(_) | Self::Key(_) => None,
        }
    }
}
