//! The clients that may use bulk.

use std::{fmt, sync::Arc};

use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{
    config,
    domain::{CredentialKind, Scopes},
};

/// What a client of `BULK_CLIENTS` permits.
pub(in crate::http) const BULK_CLIENT: Scopes = Scopes::of(CredentialKind::BulkClient.possible());

/// The known clients, each stored as the SHA-256 digest of its four values. Cheap to clone.
#[derive(Clone)]
pub struct BulkClients(Arc<[(Arc<str>, [u8; 32])]>);

impl fmt::Debug for BulkClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

impl BulkClients {
    /// Builds the table. A name may occur twice, so that its secret can be rotated.
    pub fn new(clients: &[config::BulkClient]) -> Self {
        let known = clients.iter().map(|client| {
            let values = [
                client.client_id.as_bytes(),
                client.client_secret.expose_secret().as_bytes(),
                client.app_identifier.as_bytes(),
                client.organisation_id.as_bytes(),
            ];
            (client.name.as_str().into(), digest(values))
        });
        Self(known.collect())
    }

    /// The name of the client to whom these values belong. The values are always compared with every digest, and each comparison
    /// takes constant time. So the duration reveals nothing, not even which of the four values was wrong.
    pub(in crate::http) fn client(&self, values: [&[u8]; 4]) -> Option<Arc<str>> {
        let digest = digest(values);
        self.0.iter().fold(None, |found, (name, known)| {
            if known.ct_eq(&digest).into() {
                Some(Arc::clone(name))
            } else {
                found
            }
        })
    }
}

/// The digest of four values, separated by NUL, which no header can contain.
fn digest(values: [&[u8]; 4]) -> [u8; 32] {
    Sha256::digest(values.join(&0)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_four_values_must_be_of_one_client() {
        let client = |name: &str, values: [&str; 4]| config::BulkClient {
            name: name.to_owned(),
            client_id: values[0].to_owned(),
            client_secret: values[1].into(),
            app_identifier: values[2].to_owned(),
            organisation_id: values[3].to_owned(),
        };
        let clients = BulkClients::new(&[
            client("one", ["id", "secret", "app", "org"]),
            client("one", ["id", "next", "app", "org"]),
            client("two", ["id2", "secret2", "app", "org"]),
        ]);
        for (values, expected) in [
            (["id", "secret", "app", "org"], Some("one")),
            (["id", "next", "app", "org"], Some("one")),
            (["id2", "secret2", "app", "org"], Some("two")),
            (["id", "secret2", "app", "org"], None),
            (["id", "secret", "app", ""], None),
            (["idsecret", "", "app", "org"], None),
            (["", "", "", ""], None),
        ] {
            let found = clients.client(values.map(str::as_bytes));
            assert_eq!(found.as_deref(), expected, "{values:?}");
        }
        assert!(!format!("{clients:?}").contains("secret"));
    }
}
