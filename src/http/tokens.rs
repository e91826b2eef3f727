//! The tokens and API keys that the gateway knows. Each belongs to a caller.

use std::{fmt, sync::Arc};

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What a token permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Sending operations (`/fineract/operate`) and reading their results (`/fineract/track`).
    Internal,
    /// Everything that `Internal` permits, and every action of an operator.
    Ops,
}

/// The known tokens, stored as SHA-256 digests. Cheap to clone.
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

/// The program that sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// The name of the caller's token.
    pub(super) name: Arc<str>,
    /// What the caller's token permits.
    pub(super) scope: Scope,
}

impl Tokens {
    /// Builds the table from pairs of a caller's name and a secret. A name may have several secrets, so that
    /// they can be rotated. A secret in both lists has the `ops` scope.
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

    /// The digest of the operator's token with this name and secret.
    pub(super) fn operator(&self, name: &str, secret: &[u8]) -> Option<[u8; 32]> {
        let digest = digest(secret);
        self.token_of(name, |token| token.ct_eq(&digest).into())
    }

    /// The digest of the token of the operator with this name that `is_it` recognises.
    pub(super) fn token_of(
        &self,
        name: &str,
        is_it: impl Fn(&[u8; 32]) -> bool,
    ) -> Option<[u8; 32]> {
        self.0
            .iter()
            .filter(|token| token.caller.scope == Scope::Ops && *token.caller.name == *name)
            .map(|token| token.digest)
            .find(|digest| is_it(digest))
    }

    /// Whether any token has the `ops` scope.
    pub(super) fn has_operators(&self) -> bool {
        self.0.iter().any(|token| token.caller.scope == Scope::Ops)
    }

    /// The caller to whom this secret belongs. The secret is always compared with every digest, and each comparison
    /// takes constant time. So the duration reveals nothing about the secrets.
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
