//! Who uses bulk: four headers that must match one entry.

use std::{fmt, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{HeaderName, request::Parts},
};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tracing::Span;

use super::error::BulkError;
use crate::{
    config,
    http::{ApiState, error::ApiError},
};

/// The header that carries the secret; HTTP knows no case.
pub(in crate::http) const CLIENT_SECRET: HeaderName = HeaderName::from_static("client_secret");
const HEADERS: [HeaderName; 4] = [
    HeaderName::from_static("client_id"),
    CLIENT_SECRET,
    HeaderName::from_static("appidentifier"),
    HeaderName::from_static("organisationid"),
];

/// The known clients, each as the SHA-256 of its four values. Cheap to clone.
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
    /// Takes the clients; two of one name are a rotation.
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

    /// Their names, some more than once.
    pub(super) fn names(&self) -> impl Iterator<Item = Arc<str>> {
        self.0.iter().map(|(name, _)| Arc::clone(name))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose values these are. All digests are compared, each in constant time: the time it takes tells
    /// nothing, not even which of the four was wrong.
    fn client(&self, values: [&[u8]; 4]) -> Option<Arc<str>> {
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

/// No header holds a NUL, so that it keeps the values apart.
fn digest(values: [&[u8]; 4]) -> [u8; 32] {
    Sha256::digest(values.join(&0)).into()
}

/// A client of bulk, by its name.
#[derive(Clone, Debug)]
pub(super) struct BulkClient(pub(super) Arc<str>);

impl FromRequestParts<Arc<ApiState>> for BulkClient {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        api: &Arc<ApiState>,
    ) -> Result<Self, Self::Rejection> {
        let values = HEADERS.map(|name| {
            parts
                .headers
                .get(name)
                .map_or(&b""[..], |value| value.as_bytes())
        });
        let client = api
            .bulk
            .clients
            .client(values)
            .ok_or(BulkError::UnknownClient)?;
        Span::current().record("caller", &*client);
        Ok(Self(client))
    }
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
