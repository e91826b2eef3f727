//! The secret of a credential, as it is sent.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// What every secret begins with, so that people and scanners recognise a leaked one.
const PREFIX: &str = "fgk_";

/// The length of the id: a UUID in hexadecimal digits.
const ID_LENGTH: usize = 32;

/// The length of 32 bytes in base64.
const RANDOM_LENGTH: usize = 43;

/// A secret: `fgk_`, the id of its credential, `_` and 32 random bytes in base64.
#[derive(Clone)]
pub struct CredentialSecret {
    /// The credential to which the secret claims to belong.
    pub id: Uuid,
    text: String,
}

impl fmt::Debug for CredentialSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialSecret")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl CredentialSecret {
    /// A new secret of a credential.
    pub fn random(id: Uuid) -> Self {
        // Each UUID has 122 random bits, so three of them have more than the 256 bits of the digest.
        let random = [(); 3].map(|()| Uuid::new_v4().into_bytes()).concat();
        let random = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(random));
        let text = format!("{PREFIX}{}_{random}", id.simple());
        Self { id, text }
    }

    /// Reads a secret. `None`: it has another form, so it belongs to no credential in the database.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (id, random) = text.strip_prefix(PREFIX)?.split_at_checked(ID_LENGTH)?;
        let random = random.strip_prefix('_')?;
        let id = Uuid::try_parse(id).ok()?;
        (random.len() == RANDOM_LENGTH).then(|| Self {
            id,
            text: text.to_owned(),
        })
    }

    /// What is stored of it.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.text.as_bytes()).into()
    }

    /// The secret as its owner gets it, once.
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_names_its_credential() {
        let id = Uuid::now_v7();
        let (one, other) = (CredentialSecret::random(id), CredentialSecret::random(id));
        assert_ne!(one.reveal(), other.reveal());
        assert!(!format!("{one:?}").contains(one.reveal()));
        let read = CredentialSecret::parse(one.reveal().as_bytes()).unwrap();
        assert_eq!((read.id, read.digest()), (id, one.digest()));
        let text = one.reveal();
        for wrong in [
            "",
            "fgk_",
            &text[..text.len() - 1],
            &format!("{text}x"),
            &text.replacen("fgk_", "fgk-", 1),
            &text.replacen(&id.simple().to_string(), &"x".repeat(32), 1),
        ] {
            assert!(
                CredentialSecret::parse(wrong.as_bytes()).is_none(),
                "{wrong}"
            );
        }
    }
}
