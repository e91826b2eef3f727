//! What all pages have in common.

use std::sync::Arc;

use chrono_tz::Tz;

use super::{assets, cookie::Secret, session::Session};
use crate::{domain::Scope, http::state::ApiState};

/// The entries of the navigation: address and name.
const PLACES: [(&str, &str); 7] = [
    ("/ops", "What needs me"),
    ("/ops/operations", "Operations"),
    ("/ops/batches", "Batches"),
    ("/ops/webhooks", "Webhooks"),
    ("/ops/audit", "Audit"),
    ("/ops/system", "System"),
    // Only for administrators.
    ("/ops/keys", "Keys"),
];

/// The entries that every operator has.
const OF_EVERYBODY: &[(&str, &str)] = PLACES.split_at(6).0;

/// The head of a page.
pub(super) struct Frame {
    pub(super) title: String,
    /// The address of the entry of the navigation to which the page belongs.
    pub(super) place: &'static str,
    pub(super) tenant: Arc<str>,
    /// The name of the operator. Empty on a page for visitors who are not signed in.
    pub(super) operator: String,
    pub(super) may_act: bool,
    pub(super) may_reveal: bool,
    /// The token that each form contains.
    pub(super) token: String,
    pub(super) zone: Tz,
    /// The entries of the navigation: address and name.
    pub(super) places: &'static [(&'static str, &'static str)],
    /// The address of the style sheet.
    pub(super) style: &'static str,
    /// The address of the script.
    pub(super) script: &'static str,
}

impl Frame {
    /// The head of a page for an operator.
    pub(super) fn new(
        api: &ApiState,
        session: &Session,
        place: &'static str,
        title: impl Into<String>,
    ) -> Self {
        Self {
            place,
            operator: session.name().to_owned(),
            may_act: session.may(Scope::Ops),
            may_reveal: session.may(Scope::OpsPii),
            places: if session.may(Scope::Admin) {
                &PLACES
            } else {
                OF_EVERYBODY
            },
            ..Self::of_visitor(api, title, &session.secret)
        }
    }

    /// The head of a page for a visitor who is not signed in.
    pub(super) fn of_visitor(api: &ApiState, title: impl Into<String>, secret: &Secret) -> Self {
        Self {
            title: title.into(),
            place: "",
            tenant: Arc::clone(&api.page.tenant),
            operator: String::new(),
            may_act: false,
            may_reveal: false,
            token: secret.form_token(),
            zone: api.page.zone,
            places: OF_EVERYBODY,
            style: assets::style(),
            script: assets::script(),
        }
    }
}
