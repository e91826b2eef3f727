//! The tokens and API keys of the settings. Each belongs to a caller.

use std::{fmt, sync::Arc};

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::domain::{CredentialKind, Scope, Scopes};

/// What a token of `INTERNAL_TOKENS` permits.
const INTERNAL: Scopes = Scopes::of(CredentialKind::InternalToken.possible());

/// What a token of `OPS_TOKENS` permits: everything that a token of `INTERNAL_TOKENS` permits, every action of an
/// operator, and managing credentials.
pub(super) const OPERATOR: Scopes = Scopes::of(CredentialKind::Ops.possible());

/// What a key of `API_KEYS` permits.
const API_KEY: Scopes = Scopes::of(CredentialKind::ApiKey.possible());

/// The known tokens, stored as SHA-256 digests. Cheap to clone.
#[derive(Clone)]
pub struct Tokens(Arc<[Token]>);

struct Token {
    name: Arc<str>,
    scopes: Scopes,
    digest: [u8; 32],
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|token| &token.name))
            .finish()
    }
}

impl Tokens {
    /// Builds the table from pairs of a caller's name and a secret. A name may have several secrets, so that
    /// they can be rotated. A secret in both lists has the scopes of an operator.
    pub fn new(internal: &[(String, SecretString)], ops: &[(String, SecretString)]) -> Self {
        let internal = internal.iter().map(Token::with(INTERNAL));
        Self(
            internal
                .chain(ops.iter().map(Token::with(OPERATOR)))
                .collect(),
        )
    }

    /// The same for API keys.
    pub fn of_api_keys(keys: &[(String, SecretString)]) -> Self {
        Self(keys.iter().map(Token::with(API_KEY)).collect())
    }

    /// The digest of the token of the operator with this name that `is_it` recognises.
    pub(super) fn token_of(
        &self,
        name: &str,
        is_it: impl Fn(&[u8; 32]) -> bool,
    ) -> Option<[u8; 32]> {
        self.0
            .iter()
            .filter(|token| token.scopes.has(Scope::Ops) && *token.name == *name)
            .map(|token| token.digest)
            .find(|digest| is_it(digest))
    }

    /// The name and the scopes of the caller to whom this secret belongs. The secret is always compared with every
    /// digest, and each comparison takes constant time. So the duration reveals nothing about the secrets.
    pub(super) fn find(&self, secret: &[u8]) -> Option<(Arc<str>, Scopes)> {
        let digest = digest(secret);
        let known = self.0.iter().fold(None, |found, token| {
            if token.digest.ct_eq(&digest).into() {
                Some(token)
            } else {
                found
            }
        });
        known.map(|token| (Arc::clone(&token.name), token.scopes))
    }
}

impl Token {
    fn with(scopes: Scopes) -> impl Fn(&(String, SecretString)) -> Self {
        move |(name, secret)| Self {
            name: name.as_str().into(),
            scopes,
            digest: digest(secret.expose_secret().as_bytes()),
        }
    }
}

/// The digest by which a secret is recognised.
pub(super) fn digest(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_name_and_scopes() {
        let pair = |name: &str, secret: &str| (name.to_owned(), SecretString::from(secret));
        let tokens = Tokens::new(
            &[pair("los", "old"), pair("los", "new"), pair("bulk", "both")],
            &[pair("ops", "theirs"), pair("admin", "both")],
        );
        for (secret, expected) in [
            ("old", Some(("los", INTERNAL))),
            ("new", Some(("los", INTERNAL))),
            ("theirs", Some(("ops", OPERATOR))),
            ("both", Some(("admin", OPERATOR))),
            ("", None),
            ("ol", None),
            ("oldd", None),
            ("los", None),
        ] {
            let found = tokens.find(secret.as_bytes());
            let found = found.as_ref().map(|(name, scopes)| (&**name, *scopes));
            assert_eq!(found, expected, "{secret:?}");
        }
        assert!(!format!("{tokens:?}").contains("theirs"));
    }
}
