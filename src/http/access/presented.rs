//! The secret that a request presents, in the header of its route.

use axum::http::{
    HeaderMap, HeaderName,
    header::{AUTHORIZATION, HeaderValue},
};

use crate::{
    domain::{CredentialKind, Scope},
    http::{bulk::CLIENT_SECRET, need::Need},
};

/// The header that carries a token.
pub(in crate::http) const X_INTERNAL_TOKEN: HeaderName =
    HeaderName::from_static("x-internal-token");

/// The headers of a bulk client. Header names are case-insensitive.
const BULK: [HeaderName; 4] = [
    HeaderName::from_static("client_id"),
    CLIENT_SECRET,
    HeaderName::from_static("appidentifier"),
    HeaderName::from_static("organisationid"),
];

/// What a request presents.
#[derive(Clone, Copy)]
pub(super) enum Presented<'a> {
    /// A token.
    Token(&'a [u8]),
    /// An API key.
    ApiKey(&'a [u8]),
    /// The four values of a bulk client: id, secret, application and organisation. A missing one is empty.
    BulkClient([&'a [u8]; 4]),
}

impl<'a> Presented<'a> {
    /// Reads the header that a route with this need accepts. A route that accepts tokens and bulk clients reads the token
    /// if there is one.
    pub(super) fn read(headers: &'a HeaderMap, need: Need) -> Option<Self> {
        let is_for =
            |kind: CredentialKind| need.iter().any(|scope| kind.possible().contains(scope));
        if need.contains(&Scope::Transactions) {
            let value = headers.get(AUTHORIZATION)?;
            return key(value.as_bytes()).map(Self::ApiKey);
        }
        let token = headers.get(X_INTERNAL_TOKEN).map(HeaderValue::as_bytes);
        if let Some(token) = token.filter(|_| is_for(CredentialKind::Ops)) {
            return Some(Self::Token(token));
        }
        if is_for(CredentialKind::BulkClient) && headers.contains_key(CLIENT_SECRET) {
            let values = BULK.map(|name| {
                let value = headers.get(name);
                value.map_or(&b""[..], HeaderValue::as_bytes)
            });
            return Some(Self::BulkClient(values));
        }
        None
    }

    /// The secret.
    pub(super) fn secret(self) -> &'a [u8] {
        match self {
            Self::Token(secret) | Self::ApiKey(secret) | Self::BulkClient([_, secret, ..]) => {
                secret
            }
        }
    }

    /// Whether a credential of this kind is sent like this.
    pub(super) fn is_way_of(self, kind: CredentialKind) -> bool {
        match kind {
            CredentialKind::InternalToken | CredentialKind::Ops => matches!(self, Self::Token(_)),
            CredentialKind::ApiKey => matches!(self, Self::ApiKey(_)),
            CredentialKind::BulkClient => matches!(self, Self::BulkClient(_)),
        }
    }
}

/// The key in `Authorization: Token <key>`. The scheme is case-insensitive (RFC 9110 section 11.1).
fn key(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = authorization.split_at_checked(b"Token ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Token ")
        .then(|| key.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_follows_its_scheme() {
        for (header, expected) in [
            ("Token abc", Some("abc")),
            ("token abc", Some("abc")),
            ("TOKEN  abc ", Some("abc")),
            ("Token ", Some("")),
            ("Token", None),
            ("Bearer abc", None),
            ("abc", None),
            ("", None),
        ] {
            assert_eq!(
                key(header.as_bytes()),
                expected.map(str::as_bytes),
                "{header}"
            );
        }
    }
}
