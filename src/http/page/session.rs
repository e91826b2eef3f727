//! The operator who is signed in to the page.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{FromRequestParts, OriginalUri},
    http::{
        HeaderMap, HeaderName, Method, Uri,
        header::{ACCEPT_LANGUAGE, HOST, ORIGIN},
        request::Parts,
    },
    response::{IntoResponse as _, Redirect, Response},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tracing::Span;

use super::{cookie::Secret, render::continue_here};
use crate::{
    domain::Scope,
    http::{
        access::{find_operator, peer_of},
        api_error::ApiError,
        operators::{Ops, checked_reason},
        state::ApiState,
    },
    store::{Digest, Operator, Session as Stored, SessionKind},
};

/// How long an operator stays signed in.
pub(super) const LIFETIME: Duration = Duration::from_hours(8);

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// An operator who is signed in.
#[derive(Clone)]
pub(super) struct Session {
    ops: Ops,
    /// The secret in the cookie.
    pub(super) secret: Secret,
    /// Whether the browser asks for the language of India, whose digits are grouped in another way.
    pub(super) is_indian: bool,
}

impl Session {
    /// Reads the session of a request. `None` if there is none, if it has expired, or if the operator's token is gone.
    async fn read(api: &ApiState, secret: Secret, parts: &Parts) -> Result<Option<Self>, ApiError> {
        let digest = secret.digest();
        let Some(stored) = api.page.look_up(api.store.session(&digest)).await? else {
            // Not counted as a wrong secret: a session that has ended is no guess, and an office has many of them.
            return Ok(None);
        };
        let is_proven = |token: &Digest| secret.proof(token) == stored.proof;
        match find_operator(api, peer_of(parts), &stored.operator, is_proven) {
            Ok((_, caller)) => Ok(Some(Self {
                ops: Ops::new(&caller, parts),
                secret,
                is_indian: is_indian(&parts.headers),
            })),
            Err(refusal) if refusal.is_unauthorized() => Ok(None),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// The name of the operator's token.
    pub(super) fn name(&self) -> &str {
        &self.ops.operator.name
    }

    /// The operator.
    pub(super) fn ops(&self) -> &Ops {
        &self.ops
    }

    /// Whether the operator has this scope.
    pub(super) fn may(&self, scope: Scope) -> bool {
        self.ops.has(scope)
    }

    /// The operator who acts for this reason, for the audit. An error if the operator does not have the scope.
    pub(super) fn because(self, scope: Scope, reason: &str) -> Result<Operator, ApiError> {
        if !self.may(scope) {
            return Err(ApiError::Forbidden(scope.as_str()));
        }
        Ok(self.ops.because(checked_reason(reason)?))
    }
}

/// Begins a session, or makes a link, for the operator with this token. Returns the secret.
pub(super) async fn begin(
    api: &ApiState,
    kind: SessionKind,
    (operator, token): (&str, &Digest),
    lifetime: Duration,
) -> Result<Secret, ApiError> {
    let secret = Secret::new();
    let session = Stored {
        digest: secret.digest(),
        operator: operator.to_owned(),
        proof: secret.proof(token),
    };
    api.store.begin_session(kind, &session, lifetime).await?;
    Ok(secret)
}

impl FromRequestParts<Arc<ApiState>> for Session {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        api: &Arc<ApiState>,
    ) -> Result<Self, Self::Rejection> {
        let session = match Secret::of(&parts.headers) {
            Some(secret) => Self::read(api, secret, parts).await,
            None => Ok(None),
        };
        let session = session.map_err(ApiError::into_response)?;
        let Some(session) = session else {
            return Err(send_to_sign_in(parts));
        };
        Span::current().record("caller", session.name());
        if session.may(Scope::OpsRead) {
            Ok(session)
        } else {
            Err(ApiError::Forbidden(Scope::OpsRead.as_str()).into_response())
        }
    }
}

/// Sends a visitor without a session to the sign-in. A browser that follows a link on another site does not send the
/// cookie (`SameSite=Strict`), so such a visitor first gets a page that loads the same address again from this site.
fn send_to_sign_in(parts: &Parts) -> Response {
    let uri: Option<&OriginalUri> = parts.extensions.get();
    let uri = uri.map_or_else(Uri::default, |OriginalUri(uri)| uri.clone());
    let here = own_path(uri.path_and_query().map_or("", |path| path.as_str()));
    let is_from_elsewhere = parts
        .headers
        .get(SEC_FETCH_SITE)
        .is_some_and(|site| site == "cross-site");
    if is_from_elsewhere && parts.method == Method::GET {
        return continue_here(here);
    }
    if parts.method != Method::GET || here == "/ops" {
        return Redirect::to("/ops/sign-in").into_response();
    }
    let next = utf8_percent_encode(here, NON_ALPHANUMERIC);
    Redirect::to(&format!("/ops/sign-in?next={next}")).into_response()
}

/// Whether a page of this gateway made the browser send this form, as far as the browser says. A browser says at least
/// one of both headers with a form.
pub(super) fn comes_from_here(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        // A proxy may replace `Host`, but it passes on what the browser says about the site.
        return site == "same-origin" || site == "none";
    }
    headers.get(ORIGIN).is_none_or(|origin| {
        let origin = origin.to_str().unwrap_or_default();
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        authority.is_some_and(|origin| headers.get(HOST).is_some_and(|host| host == origin))
    })
}

fn is_indian(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT_LANGUAGE)
        .and_then(|languages| languages.to_str().ok()?.split([',', ';']).next())
        .is_some_and(|language| language.trim().to_ascii_uppercase().ends_with("-IN"))
}

/// The path if it leads to a page of this gateway, otherwise the start page.
pub(super) fn own_path(next: &str) -> &str {
    let is_plain = next
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let after = next.strip_prefix("/ops");
    let is_own = after.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    if is_plain && is_own { next } else { "/ops" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_of_another_site_is_told_apart() {
        for (pairs, expected) in [
            (vec![], true),
            (
                vec![
                    (SEC_FETCH_SITE, "same-origin"),
                    (HOST, "a"),
                    (ORIGIN, "https://b"),
                ],
                true,
            ),
            (vec![(SEC_FETCH_SITE, "same-site")], false),
            (vec![(SEC_FETCH_SITE, "cross-site")], false),
            (
                vec![(HOST, "ops.example"), (ORIGIN, "https://ops.example")],
                true,
            ),
            (
                vec![(HOST, "ops.example"), (ORIGIN, "https://evil.example")],
                false,
            ),
            (vec![(HOST, "ops.example"), (ORIGIN, "null")], false),
        ] {
            let headers = pairs
                .iter()
                .map(|(name, value)| (name.clone(), value.parse().unwrap()));
            assert_eq!(comes_from_here(&headers.collect()), expected, "{pairs:?}");
        }
    }

    #[test]
    fn the_first_language_decides() {
        for (languages, expected) in [
            ("en-IN,en;q=0.9", true),
            ("hi-IN", true),
            ("en-GB,en-IN", false),
            ("", false),
        ] {
            let headers = [(ACCEPT_LANGUAGE, languages.parse().unwrap())]
                .into_iter()
                .collect();
            assert_eq!(is_indian(&headers), expected, "{languages}");
        }
    }

    #[test]
    fn a_sign_in_leads_only_to_the_page() {
        for (next, expected) in [
            ("/ops/operations?q=1", "/ops/operations?q=1"),
            ("/ops", "/ops"),
            ("/ops?x=1", "/ops?x=1"),
            ("", "/ops"),
            ("/opsx", "/ops"),
            ("//evil.example", "/ops"),
            ("https://evil.example/ops", "/ops"),
            ("/ops\\..\\x", "/ops"),
            ("/ops\r\nSet-Cookie: a=b", "/ops"),
        ] {
            assert_eq!(own_path(next), expected, "{next:?}");
        }
    }
}
