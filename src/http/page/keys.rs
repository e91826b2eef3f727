//! The keys of the database: administrators create, rotate and revoke them. A secret is shown once, on the page that
//! answers the form.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State},
    response::{Redirect, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::{form::SignedForm, format::Time, frame::Frame, render::html, session::Session};
use crate::{
    domain::{CredentialKind, OperationType, Scope},
    http::{
        api_error::ApiError,
        keys::{self, KeyBody, KeyPath, KeyRequest},
        state::ApiState,
    },
    operations::Problem,
};

const PLACE: &str = "/ops/keys";

/// How long before its end a key is said to expire soon.
const SOON: TimeDelta = TimeDelta::days(14);

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    frame: Frame,
    keys: Vec<KeyBody>,
    now: DateTime<Utc>,
}

#[derive(Template)]
#[template(path = "key.html")]
struct KeyPage {
    frame: Frame,
    key: KeyBody,
    now: DateTime<Utc>,
}

/// Lists the keys.
pub(super) async fn list(
    session: Session,
    State(api): State<Arc<ApiState>>,
) -> Result<Response, ApiError> {
    require_admin(&session)?;
    Ok(html(&KeysPage {
        frame: Frame::new(&api, &session, PLACE, "Keys"),
        keys: keys::all(&api).await?,
        now: api.credentials.now(),
    }))
}

/// Shows a key.
pub(super) async fn show(
    session: Session,
    State(api): State<Arc<ApiState>>,
    id: KeyPath,
) -> Result<Response, ApiError> {
    require_admin(&session)?;
    let key = KeyBody::new(keys::find(&api, id).await?, None);
    Ok(show_key(&api, &session, key))
}

fn show_key(api: &ApiState, session: &Session, key: KeyBody) -> Response {
    html(&KeyPage {
        frame: Frame::new(api, session, PLACE, format!("Key {}", key.name)),
        key,
        now: api.credentials.now(),
    })
}

/// The form that creates a key. What is left empty is not restricted.
#[derive(Deserialize)]
pub(super) struct New {
    name: String,
    kind: String,
    owner: String,
    #[serde(default)]
    scope: Vec<String>,
    #[serde(default)]
    operation_type: Vec<String>,
    /// One a line: a name may contain commas.
    lenders: String,
    addresses: String,
    rate: String,
    expires_after_days: String,
    reason: String,
}

/// Creates a key, and shows its secret.
pub(super) async fn create(
    State(api): State<Arc<ApiState>>,
    form: SignedForm<New>,
) -> Result<Response, ApiError> {
    let SignedForm { fields, session } = form;
    let operator = session.clone().because(Scope::Admin, &fields.reason)?;
    let request = fields.read(api.credentials.now())?;
    let settings = request.check().map_err(in_sentences)?;
    let key = keys::create(&api, &settings, &operator).await?;
    Ok(show_key(&api, &session, key))
}

impl New {
    /// The request of the API with the same content.
    fn read(self, now: DateTime<Utc>) -> Result<KeyRequest, ApiError> {
        let days: Option<i64> = number("/expires_after_days", &self.expires_after_days)?;
        let expires_at = days.map(|days| {
            let end = TimeDelta::try_days(days).and_then(|days| now.checked_add_signed(days));
            end.unwrap_or(DateTime::<Utc>::MAX_UTC)
        });
        let list = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
        let lines = self.lenders.lines().map(str::trim);
        let lenders = lines.filter(|line| !line.is_empty()).map(str::to_owned);
        let addresses = self.addresses.split([',', ' ', '\n', '\r']);
        let addresses = addresses.filter(|text| !text.is_empty());
        let owner = self.owner.trim().to_owned();
        Ok(KeyRequest {
            name: self.name.trim().to_owned(),
            owner: Some(owner).filter(|owner| !owner.is_empty()),
            kind: self.kind,
            scopes: list(self.scope),
            operation_types: list(self.operation_type),
            lenders: list(lenders.collect()),
            rate: number("/rate", &self.rate)?,
            addresses: list(addresses.map(str::to_owned).collect()),
            expires_at,
            reason: None,
        })
    }
}

/// A number of a form. `None`: the field is empty.
fn number<T: std::str::FromStr>(pointer: &str, text: &str) -> Result<Option<T>, ApiError> {
    let text = text.trim();
    let is_given = !text.is_empty();
    let number = is_given.then(|| text.parse().or(Err(())));
    number.transpose().map_err(|()| {
        let problem = Problem {
            pointer: pointer.to_owned(),
            code: keys::INVALID,
            message: "must be a whole number".to_owned(),
        };
        in_sentences(vec![problem])
    })
}

/// The problems as the page shows them: each begins with its field, because the page shows no pointers.
fn in_sentences(problems: Vec<Problem>) -> ApiError {
    let sentence = |problem: Problem| {
        let field = problem.pointer.trim_start_matches('/').replace('_', " ");
        let message = format!("The field “{field}” {}.", problem.message);
        Problem { message, ..problem }
    };
    ApiError::Invalid(problems.into_iter().map(sentence).collect())
}

/// The form that gives a key a new secret.
#[derive(Deserialize)]
pub(super) struct Rotation {
    overlap_hours: String,
    reason: String,
}

/// Gives a key a new secret, and shows it.
pub(super) async fn rotate(
    State(api): State<Arc<ApiState>>,
    Path(id): Path<Uuid>,
    form: SignedForm<Rotation>,
) -> Result<Response, ApiError> {
    let SignedForm { fields, session } = form;
    let operator = session.clone().because(Scope::Admin, &fields.reason)?;
    let hours = number("/overlap_hours", &fields.overlap_hours)?;
    let hours = hours.unwrap_or(keys::OVERLAP_HOURS);
    let key = keys::rotate(&api, id, hours, &operator).await?;
    Ok(show_key(&api, &session, key))
}

/// The form that revokes a key.
#[derive(Deserialize)]
pub(super) struct Revocation {
    reason: String,
}

/// Revokes a key.
pub(super) async fn revoke(
    State(api): State<Arc<ApiState>>,
    Path(id): Path<Uuid>,
    form: SignedForm<Revocation>,
) -> Result<Redirect, ApiError> {
    let operator = form.session.because(Scope::Admin, &form.fields.reason)?;
    keys::revoke(&api, id, &operator).await?;
    Ok(Redirect::to(&format!("{PLACE}/{id}")))
}

fn require_admin(session: &Session) -> Result<(), ApiError> {
    let is_admin = session.may(Scope::Admin);
    is_admin
        .then_some(())
        .ok_or(ApiError::Forbidden(Scope::Admin.as_str()))
}

impl KeyBody {
    fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_some() || self.expires_at.is_some_and(|end| end <= now)
    }

    /// The class and the words of a key's state.
    fn words(&self, now: DateTime<Utc>) -> (&'static str, &'static str) {
        match self.expires_at {
            _ if self.revoked_at.is_some() => ("s-bad", "revoked"),
            Some(end) if end <= now => ("s-bad", "expired"),
            Some(end) if end - now < SOON => ("s-warn", "expires soon"),
            _ => ("s-ok", "valid"),
        }
    }
}

impl KeysPage {
    fn day(&self, at: &DateTime<Utc>) -> Time {
        Time::day(*at, self.frame.zone)
    }
}

impl KeyPage {
    fn day(&self, at: &DateTime<Utc>) -> Time {
        Time::day(*at, self.frame.zone)
    }

    /// What the key restricts, by name.
    fn limits(&self) -> Vec<(&'static str, String)> {
        let joined = |list: &Option<Vec<String>>| list.as_ref().map(|list| list.join(", "));
        let limits = [
            ("Operation types", joined(&self.key.operation_types)),
            ("Lenders", joined(&self.key.lenders)),
            ("Addresses", joined(&self.key.addresses)),
            (
                "Requests a minute, of each gateway",
                self.key.rate.map(|rate| rate.to_string()),
            ),
        ];
        let limits = limits.into_iter();
        limits
            .filter_map(|(name, limit)| Some((name, limit?)))
            .collect()
    }
}
