//! The cookie of the page, and the secrets in it.
//!
//! Every visitor has a cookie with a random secret, also before signing in. The token in each form is derived from it,
//! so another site, which cannot read the cookie, cannot make a form that is accepted. Signing in replaces the secret.

use std::sync::Arc;

use axum::http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{COOKIE, HOST, ORIGIN, SET_COOKIE},
};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::{http::observe::X_FORWARDED_PROTO, store::Digest};

/// The name of the cookie where it is sent only over TLS. The prefix makes browsers bind the cookie to this host.
const NAME: &str = "__Host-ops";
/// The name on loopback addresses, where there is no TLS.
const LOOPBACK_NAME: &str = "ops";
/// The number of characters of a secret.
const LENGTH: usize = 64;

/// A random secret of 244 bits, in hexadecimal digits.
#[derive(Clone)]
pub(super) struct Secret(Arc<str>);

impl Secret {
    /// A new secret.
    pub(super) fn new() -> Self {
        let half = || Uuid::new_v4().simple();
        Self(format!("{}{}", half(), half()).into())
    }

    /// Reads a secret from a path.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_secret = text.len() == LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_secret.then(|| Self(text.into()))
    }

    /// Reads the secret in the cookie of a request.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let find = |name: &str| {
            headers
                .get_all(COOKIE)
                .iter()
                .filter_map(|cookies| cookies.to_str().ok())
                .flat_map(|cookies| cookies.split(';'))
                .filter_map(|cookie| cookie.trim().split_once('='))
                .find(|(found, _)| *found == name)
                .and_then(|(_, value)| Self::parse(value))
        };
        let on_loopback = || find(LOOPBACK_NAME).filter(|_| is_on_loopback(headers));
        find(NAME).or_else(on_loopback)
    }

    /// The secret as text, for a link.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The digest under which the session of this secret is stored.
    pub(super) fn digest(&self) -> Digest {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The digest that proves that the session of this secret began with this token.
    pub(super) fn proof(&self, token: &Digest) -> Digest {
        Sha256::new()
            .chain_update(self.0.as_bytes())
            .chain_update(token)
            .finalize()
            .into()
    }

    /// The token that each form of this visitor contains.
    pub(super) fn form_token(&self) -> String {
        let digest = Sha256::new()
            .chain_update("form:")
            .chain_update(self.0.as_bytes())
            .finalize();
        hex(&digest)
    }

    /// Whether a form contains the token of this visitor.
    pub(super) fn made(&self, form_token: &str) -> bool {
        self.form_token()
            .as_bytes()
            .ct_eq(form_token.as_bytes())
            .into()
    }

    /// The header that gives this secret to the browser. The browser forgets it when it is closed; the gateway forgets
    /// the session after some hours.
    pub(super) fn set_cookie(&self, headers: &HeaderMap) -> (HeaderName, HeaderValue) {
        cookie(&self.0, headers)
    }
}

/// The header that makes the browser forget its secret.
pub(super) fn forget_cookie(headers: &HeaderMap) -> (HeaderName, HeaderValue) {
    cookie("; Max-Age=0", headers)
}

fn cookie(value: &str, headers: &HeaderMap) -> (HeaderName, HeaderValue) {
    let (name, secure) = if is_on_loopback(headers) {
        (LOOPBACK_NAME, "")
    } else {
        (NAME, "; Secure")
    };
    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}");
    // The cookie consists of visible ASCII.
    let value = HeaderValue::try_from(cookie).unwrap_or(HeaderValue::from_static(""));
    (SET_COOKIE, value)
}

/// Bytes in hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let digits = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
    digits.collect()
}

/// Whether the browser uses this gateway at a loopback address, without TLS. A proxy on the same machine may call the gateway there
/// too, but the `Origin` of a form still names the address that the browser uses.
fn is_on_loopback(headers: &HeaderMap) -> bool {
    let host_of = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let is_loopback = |authority: &str| {
        let host = if let Some((address, _)) = authority.split_once(']') {
            address.trim_start_matches('[')
        } else {
            authority.split(':').next().unwrap_or_default()
        };
        host == "localhost"
            || host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    };
    let origin = host_of(ORIGIN)
        .is_none_or(|origin| origin.strip_prefix("http://").is_some_and(is_loopback));
    let is_encrypted = headers
        .get(X_FORWARDED_PROTO)
        .is_some_and(|scheme| scheme == "https");
    !is_encrypted && origin && host_of(HOST).is_some_and(is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()));
        pairs.collect()
    }

    #[test]
    fn a_cookie_is_secure_unless_the_browser_is_on_loopback() {
        for (host, origin, expected) in [
            ("127.0.0.1:8080", None, false),
            ("localhost", Some("http://localhost"), false),
            ("[::1]:8080", Some("http://[::1]:8080"), false),
            ("127.0.0.1:8080", Some("https://ops.example"), true),
            ("127.0.0.1:8080", Some("null"), true),
            ("ops.example", None, true),
            ("10.0.0.1:8080", None, true),
            ("127.0.0.1.example", None, true),
        ] {
            let mut pairs = vec![(HOST, host)];
            pairs.extend(origin.map(|origin| (ORIGIN, origin)));
            let (_, cookie) = Secret::new().set_cookie(&headers(&pairs));
            let cookie = cookie.to_str().unwrap();
            assert_eq!(
                cookie.starts_with("__Host-ops="),
                expected,
                "{host} {origin:?}"
            );
            assert_eq!(cookie.ends_with("; Secure"), expected, "{host} {origin:?}");
            assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
        }
    }

    #[test]
    fn the_cookie_of_loopback_counts_only_there() {
        let secret = Secret::new();
        let cookie = format!("a=b; ops={}", secret.as_str());
        let found = |host| Secret::of(&headers(&[(HOST, host), (COOKIE, &cookie)])).is_some();
        assert!(found("127.0.0.1:8080"));
        assert!(!found("ops.example"));
    }

    #[test]
    fn a_form_needs_the_token_of_its_visitor() {
        let secret = Secret::new();
        assert!(secret.made(&secret.form_token()));
        assert!(!secret.made(&Secret::new().form_token()));
        assert!(!secret.made(""));
        assert_ne!(secret.form_token(), secret.as_str());
    }
}
