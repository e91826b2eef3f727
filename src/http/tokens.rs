//! Who calls.

use std::{fmt, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{HeaderName, request::Parts},
};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tracing::Span;

use super::{ApiState, error::ApiError};

/// The header that carries a token.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-internal-token");

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Operate and track.
    Internal,
    /// The same, and what operators do.
    Ops,
}

/// The known tokens, as SHA-256 digests. Cheap to clone.
#[derive(Clone)]
pub struct Tokens(Arc<[Token]>);

struct Token {
    caller: Caller,
    digest: [u8; 32],
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|token| &token.caller))
            .finish()
    }
}

/// Who calls, by the name of the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// The token's name.
    pub(super) name: Arc<str>,
    /// What the token is good for.
    pub(super) scope: Scope,
}

impl Tokens {
    /// Takes the tokens by name; one name may stand for several secrets, so that they can be rotated. A
    /// secret that is in both lists has the `ops` scope.
    pub fn new(internal: &[(String, SecretString)], ops: &[(String, SecretString)]) -> Self {
        let scoped = |scope| {
            move |(name, secret): &(String, SecretString)| Token {
                caller: Caller {
                    name: name.as_str().into(),
                    scope,
                },
                digest: digest(secret.expose_secret().as_bytes()),
            }
        };
        let internal = internal.iter().map(scoped(Scope::Internal));
        Self(internal.chain(ops.iter().map(scoped(Scope::Ops))).collect())
    }

    /// Whether anybody has the `ops` scope.
    pub(super) fn know_operators(&self) -> bool {
        self.0.iter().any(|token| token.caller.scope == Scope::Ops)
    }

    /// Whose secret this is. The time it takes tells nothing of the secrets: digests are compared, each
    /// in constant time, and always all of them.
    pub(super) fn caller(&self, secret: &[u8]) -> Option<Caller> {
        let digest = digest(secret);
        let known = self.0.iter().fold(None, |found, token| {
            if token.digest.ct_eq(&digest).into() {
                Some(token)
            } else {
                found
            }
        });
        known.map(|token| token.caller.clone())
    }
}

fn digest(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

impl FromRequestParts<Arc<ApiState>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        api: &Arc<ApiState>,
    ) -> Result<Self, Self::Rejection> {
        let caller = parts
            .headers
            .get(HEADER)
            .and_then(|secret| api.tokens.caller(secret.as_bytes()))
            .ok_or(ApiError::Unauthorized)?;
        Span::current().record("caller", &*caller.name);
        Ok(caller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_name_and_scope() {
        let pair = |name: &str, secret: &str| (name.to_owned(), SecretString::from(secret));
        let tokens = Tokens::new(
            &[pair("los", "old"), pair("los", "new"), pair("bulk", "both")],
            &[pair("ops", "theirs"), pair("admin", "both")],
        );
        for (secret, expected) in [
            ("old", Some(("los", Scope::Internal))),
            ("new", Some(("los", Scope::Internal))),
            ("theirs", Some(("ops", Scope::Ops))),
            ("both", Some(("admin", Scope::Ops))),
            ("", None),
            ("ol", None),
            ("oldd", None),
            ("los", None),
        ] {
            let found = tokens.caller(secret.as_bytes());
            let found = found.as_ref().map(|caller| (&*caller.name, caller.scope));
            assert_eq!(found, expected, "{secret:?}");
        }
        assert!(!format!("{tokens:?}").contains("theirs"));
    }
}
