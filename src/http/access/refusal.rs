//! Why a credential was refused: what the caller gets, and what is counted.

use std::time::Duration;

use super::error::AccessError;
use crate::{
    domain::{CredentialKind, Scope},
    http::{api_error::ApiError, need::Need},
    store::StoreError,
};

/// Why a credential was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// None was sent in the header of the route.
    Missing,
    /// The secret is not known.
    WrongSecret,
    /// The secret is right, but it belongs into another header.
    WrongHeader,
    /// The credential was revoked.
    Revoked,
    /// The credential has expired, or the overlap of a rotation is over.
    Expired,
    /// The credential may not be used from this address.
    Address,
    /// The credential does not have the scope.
    Scope(Scope),
    /// The credential has used up its rate.
    Rate(Duration),
    /// Too many wrong secrets came from the address.
    TooManyWrong(Duration),
    /// This process has not been able to read the credentials yet.
    NotRead,
}

impl Why {
    /// The reason in the metric.
    const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::WrongSecret => "wrong_secret",
            Self::WrongHeader => "wrong_header",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Address => "address",
            Self::Scope(_) => "scope",
            Self::Rate(_) => "rate",
            Self::TooManyWrong(_) => "too_many_wrong_secrets",
            Self::NotRead => "not_read",
        }
    }
}

/// The refusal of a request.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Refusal {
    need: Need,
    why: Why,
}

impl Refusal {
    /// Counts a refusal by its reason.
    pub(super) fn counted(need: Need, why: Why) -> Self {
        count(why.reason());
        Self { need, why }
    }

    /// Whether the request has no valid credential, so that each part of the API says so in its own words.
    pub(in crate::http) fn is_unauthorized(&self) -> bool {
        match self.why {
            Why::Missing | Why::WrongSecret | Why::WrongHeader | Why::Revoked | Why::Expired => {
                true
            }
            Why::Address | Why::Scope(_) | Why::Rate(_) | Why::TooManyWrong(_) | Why::NotRead => {
                false
            }
        }
    }
}

/// Counts a refusal.
pub(super) fn count(reason: &'static str) {
    metrics::counter!("gateway_credentials_refused_total", "reason" => reason).increment(1);
}

impl From<Refusal> for ApiError {
    fn from(Refusal { need, why }: Refusal) -> Self {
        let bulk = CredentialKind::BulkClient.possible();
        match why {
            Why::Missing | Why::WrongSecret | Why::WrongHeader | Why::Revoked | Why::Expired => {
                if need.iter().any(|scope| bulk.contains(scope)) {
                    Self::UnknownEventOwner
                } else {
                    Self::Unauthorized
                }
            }
            Why::Address => AccessError::ForeignAddress.into(),
            Why::Scope(scope) => Self::Forbidden(scope.as_str()),
            Why::Rate(wait) => AccessError::RateUsedUp(seconds(wait)).into(),
            Why::TooManyWrong(wait) => AccessError::TooManyWrongSecrets(seconds(wait)).into(),
            Why::NotRead => StoreError::Closed.into(),
        }
    }
}

/// Whole seconds, at least one.
fn seconds(wait: Duration) -> u16 {
    u16::try_from(wait.as_millis().div_ceil(1_000).max(1)).unwrap_or(u16::MAX)
}
