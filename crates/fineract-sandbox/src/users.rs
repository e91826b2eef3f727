//! Users, their permissions, and which commands they may check.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;

use super::failure::standard;
use super::json::{Json, Object, object};
use super::reply::Reply;

/// A user. Without a list of permissions, the user has all permissions (`ALL_FUNCTIONS`).
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) who: Who,
    pub(super) password: String,
    pub(super) permissions: Option<BTreeSet<String>>,
}

/// A user's names, as timelines show them.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub(super) username: String,
    pub(super) firstname: String,
    pub(super) lastname: String,
}

impl User {
    pub(super) fn may(&self, permission: &str) -> bool {
        self.permissions
            .as_ref()
            .is_none_or(|permissions| permissions.contains(permission))
    }

    /// Answers `POST /authentication` (`docs/fineract/commands.md`, "The permissions of a user"). The body must contain
    /// the credentials of this user.
    pub(super) fn login(&self, body: &str, path: &str) -> Reply {
        let sent = Json::parse(body).ok();
        let sent = sent.as_ref().and_then(Json::as_object);
        let has = |key: &str, value: &str| {
            sent.is_some_and(|sent| sent.get(key).and_then(Json::as_text) == Some(value))
        };
        if !has("username", &self.who.username) || !has("password", &self.password) {
            return standard(StatusCode::UNAUTHORIZED, path).challenged();
        }
        let all = || BTreeSet::from(["ALL_FUNCTIONS".to_owned()]);
        let permissions = self.permissions.clone().unwrap_or_else(all);
        let permissions: Vec<Json> = permissions.into_iter().map(Json::from).collect();
        let body = object! {
            "username": self.who.username.as_str(), "authenticated": true, "permissions": permissions,
        };
        Reply::ok(Json::from(body).compact())
    }

    /// Whether the user may write to a loan that the nightly job has locked (`docs/fineract/outages.md`, "The nightly
    /// lock on a loan").
    pub(super) fn writes_through_lock(&self) -> bool {
        self.may("BYPASS_LOAN_WRITE_PROTECTION")
    }

    /// Whether the user may check commands that need this permission. A user who may not check a command does not see
    /// it in the list of waiting commands.
    pub(super) fn may_check(&self, permission: &str) -> bool {
        self.is_checker() || self.may(&format!("{permission}_CHECKER"))
    }

    pub(super) fn is_checker(&self) -> bool {
        self.may("CHECKER_SUPER_USER")
    }
}

impl Who {
    /// Adds the names to a timeline, as `<action>ByUsername`, `<action>ByFirstname` and `<action>ByLastname`.
    pub(super) fn sign(&self, timeline: &mut Object, action: &str) {
        timeline.set(&format!("{action}ByUsername"), self.username.as_str());
        timeline.set(&format!("{action}ByFirstname"), self.firstname.as_str());
        timeline.set(&format!("{action}ByLastname"), self.lastname.as_str());
    }
}

/// The users by name.
#[derive(Clone, Debug)]
pub(super) struct Users(BTreeMap<String, User>);

impl Default for Users {
    /// One user, `mifos` with the password `password`, who has all permissions.
    fn default() -> Self {
        let mut users = Self(BTreeMap::new());
        users.add("mifos", "password", None);
        users
    }
}

impl Users {
    pub(super) fn add(
        &mut self,
        name: &str,
        password: &str,
        permissions: Option<BTreeSet<String>>,
    ) {
        let who = Who {
            username: name.to_owned(),
            firstname: "App".to_owned(),
            lastname: "Administrator".to_owned(),
        };
        self.0.insert(
            name.to_owned(),
            User {
                who,
                password: password.to_owned(),
                permissions,
            },
        );
    }

    pub(super) fn get(&self, name: &str) -> Option<&User> {
        self.0.get(name)
    }

    /// The user with these credentials, in the form `user:password`.
    pub(super) fn authenticate(&self, credentials: &str) -> Option<&User> {
        let (name, password) = credentials.split_once(':')?;
        self.0.get(name).filter(|user| user.password == password)
    }
}
