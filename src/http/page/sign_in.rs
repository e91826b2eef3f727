//! Signing in with the name and the secret of an operator's token or with a link, and signing out.

use std::{net::IpAddr, sync::Arc, time::Duration};

use askama::Template;
use axum::{
    Extension, Json,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderName, HeaderValue},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::{
    cookie::{Secret, forget_cookie},
    form::{OwnForm, SignedForm},
    frame::Frame,
    render::html,
    session::{LIFETIME, begin, own_path},
};
use crate::{
    http::{
        access::{self, X_INTERNAL_TOKEN, count_wrong_guess, find_operator, may_guess},
        api_error::ApiError,
        observe::Peer,
        operators::Ops,
        state::ApiState,
        tokens::digest,
    },
    store::{Digest, SessionKind},
};

/// How long a sign-in link can be used.
const LINK_LIFETIME: Duration = Duration::from_mins(15);

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    next: String,
    name: String,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "sign_in_link.html")]
struct LinkPage {
    frame: Frame,
    link: String,
}

/// Where to go after the sign-in.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

/// The form of the sign-in.
#[derive(Deserialize)]
pub(super) struct SignIn {
    name: String,
    secret: SecretString,
    #[serde(default)]
    next: String,
}

/// A form without fields of its own.
#[derive(Deserialize)]
pub(super) struct Nothing {}

/// The answer to a request for a sign-in link.
#[derive(Debug, Serialize)]
pub(super) struct Link {
    /// The path of the link at this gateway.
    path: String,
    valid_for_seconds: u64,
}

/// Shows the form.
pub(super) async fn show_form(
    State(api): State<Arc<ApiState>>,
    headers: HeaderMap,
    Query(Next { next }): Query<Next>,
) -> Response {
    let (secret, cookie) = visitor(&headers);
    let page = SignInPage {
        frame: Frame::of_visitor(&api, "Sign in", &secret),
        next,
        name: String::new(),
        problem: None,
    };
    (AppendHeaders(cookie), html(&page)).into_response()
}

/// Signs an operator in.
pub(super) async fn sign_in(
    State(api): State<Arc<ApiState>>,
    peer: Option<Extension<Peer>>,
    form: OwnForm<SignIn>,
) -> Result<Response, ApiError> {
    let SignIn { name, secret, next } = form.fields;
    let secret = secret.expose_secret().as_bytes();
    let token = match access::sign_in(&api, address(peer), &name, secret) {
        Ok((token, _)) => token,
        Err(refusal) if refusal.is_unauthorized() => {
            tracing::warn!("a sign-in to the operators' page failed");
            return Ok(show_again(&api, &form.headers, name, next));
        }
        Err(refusal) => return Err(refusal.into()),
    };
    let secret = begin(&api, SessionKind::Session, (&name, &token), LIFETIME).await?;
    tracing::info!(caller = name, "an operator signed in to the page");
    Ok(go_with(&secret, &form.headers, &next))
}

/// Shows the form again, to whoever has sent a wrong name or secret.
fn show_again(api: &ApiState, headers: &HeaderMap, name: String, next: String) -> Response {
    let (secret, cookie) = visitor(headers);
    let error = ApiError::UnknownOperator;
    let page = SignInPage {
        frame: Frame::of_visitor(api, "Sign in", &secret),
        next,
        name,
        problem: Some(error.to_string()),
    };
    (error.status(), AppendHeaders(cookie), html(&page)).into_response()
}

/// Makes a link with which the operator of this token can sign in once. The operator sends the token as for the API.
pub(super) async fn make_link(
    operator: Ops,
    State(api): State<Arc<ApiState>>,
    headers: HeaderMap,
) -> Result<Json<Link>, ApiError> {
    // The layer before this function has recognised the token.
    let token = headers.get(X_INTERNAL_TOKEN).map(HeaderValue::as_bytes);
    let token = digest(token.ok_or(ApiError::Unauthorized)?);
    let name = &operator.operator.name;
    let secret = begin(&api, SessionKind::Link, (name, &token), LINK_LIFETIME).await?;
    Ok(Json(Link {
        path: format!("/ops/sign-in/{}", secret.as_str()),
        valid_for_seconds: LINK_LIFETIME.as_secs(),
    }))
}

/// Shows a button that uses the link. Only the button uses it, because programs that preview links open them too.
pub(super) async fn show_link(
    State(api): State<Arc<ApiState>>,
    headers: HeaderMap,
    Path(link): Path<String>,
) -> Result<Response, ApiError> {
    let link = Secret::parse(&link).ok_or(ApiError::UsedLink)?;
    let (secret, cookie) = visitor(&headers);
    let page = LinkPage {
        frame: Frame::of_visitor(&api, "Sign in", &secret),
        link: link.as_str().to_owned(),
    };
    Ok((AppendHeaders(cookie), html(&page)).into_response())
}

/// Signs an operator in by a link, which then no longer works. A wrong link counts as a wrong secret.
pub(super) async fn use_link(
    State(api): State<Arc<ApiState>>,
    Path(link): Path<String>,
    peer: Option<Extension<Peer>>,
    form: OwnForm<Nothing>,
) -> Result<Response, ApiError> {
    let peer = address(peer);
    may_guess(&api, peer)?;
    let link = Secret::parse(&link).ok_or(ApiError::UsedLink)?;
    let digest = link.digest();
    let found = api.page.look_up(api.store.take_link(&digest)).await?;
    let Some(found) = found else {
        count_wrong_guess(&api, peer);
        return Err(ApiError::UsedLink);
    };
    let is_proven = |known: &Digest| link.proof(known) == found.proof;
    let operator = find_operator(&api, peer, &found.operator, is_proven);
    let (token, _) = operator.map_err(|refusal| {
        if refusal.is_unauthorized() {
            ApiError::UsedLink
        } else {
            refusal.into()
        }
    })?;
    let who = (found.operator.as_str(), &token);
    let secret = begin(&api, SessionKind::Session, who, LIFETIME).await?;
    tracing::info!(
        caller = found.operator,
        "an operator signed in to the page by a link"
    );
    Ok(go_with(&secret, &form.headers, ""))
}

/// Ends this session.
pub(super) async fn sign_out(
    State(api): State<Arc<ApiState>>,
    headers: HeaderMap,
    form: SignedForm<Nothing>,
) -> Result<Response, ApiError> {
    api.store.end_session(&form.session.secret.digest()).await?;
    Ok(go_without(&headers))
}

/// Ends every session of this operator.
pub(super) async fn sign_out_everywhere(
    State(api): State<Arc<ApiState>>,
    headers: HeaderMap,
    form: SignedForm<Nothing>,
) -> Result<Response, ApiError> {
    api.store.end_sessions_of(form.session.name()).await?;
    Ok(go_without(&headers))
}

fn address(peer: Option<Extension<Peer>>) -> Option<IpAddr> {
    peer.map(|Extension(Peer(address))| address)
}

/// The secret of a visitor who is not signed in, and the header that sets it if the visitor has none yet.
fn visitor(headers: &HeaderMap) -> (Secret, Option<(HeaderName, HeaderValue)>) {
    if let Some(secret) = Secret::of(headers) {
        return (secret, None);
    }
    let secret = Secret::new();
    let cookie = secret.set_cookie(headers);
    (secret, Some(cookie))
}

/// Gives the browser its session, and sends it to where it wanted to go.
fn go_with(secret: &Secret, headers: &HeaderMap, next: &str) -> Response {
    let cookie = AppendHeaders([secret.set_cookie(headers)]);
    (cookie, Redirect::to(own_path(next))).into_response()
}

/// Makes the browser forget its session, and sends it to the sign-in.
fn go_without(headers: &HeaderMap) -> Response {
    let cookie = AppendHeaders([forget_cookie(headers)]);
    (cookie, Redirect::to("/ops/sign-in")).into_response()
}
