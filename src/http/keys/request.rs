//! What an administrator asks of a new key, and whether that is valid.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    domain::{CredentialKind, OperationType, Owner, Scope, Scopes},
    operations::Problem,
    store::CredentialSettings,
};

/// The error code if the body is not a valid key.
pub(in crate::http) const INVALID: &str = "invalid_key";
/// The longest name of a key.
pub(in crate::http) const LONGEST_NAME: usize = 100;
/// The longest name of a lender, in characters.
pub(in crate::http) const LONGEST_LENDER: usize = 255;
/// The most scopes, types, lenders or networks.
pub(in crate::http) const MOST: usize = 100;

/// A new key. The request of the API and the arguments of the command have the same members.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// The name in logs, in the audit and in commands.
    pub name: String,
    /// Whose operations and batches it reaches; `None`: the owner with the key's name.
    pub owner: Option<String>,
    /// By which header it is sent.
    pub kind: String,
    /// What it permits; `None`: what is usual for its kind.
    pub scopes: Option<Vec<String>>,
    /// The operation types that it may send; `None`: every type.
    pub operation_types: Option<Vec<String>>,
    /// The lenders for which it may send operations that name one; `None`: every lender.
    pub lenders: Option<Vec<String>>,
    /// How many requests a minute each gateway admits; `None`: any number.
    pub rate: Option<i32>,
    /// The networks from which it may be used; `None`: from everywhere.
    pub addresses: Option<Vec<String>>,
    /// When it expires; `None`: never.
    pub expires_at: Option<DateTime<Utc>>,
    /// Why it is created, for the audit.
    pub reason: Option<String>,
}

impl KeyRequest {
    /// Checks everything except what only the database knows. The error lists all problems.
    pub fn check(&self) -> Result<CredentialSettings, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut note = |pointer: &str, must: &str| {
            problems.push(Problem {
                pointer: pointer.to_owned(),
                code: INVALID,
                message: must.to_owned(),
            });
        };
        if !is_name(&self.name) {
            note("/name", "must be 1 to 100 letters, digits, . - _; no UUID");
        }
        let owner = read_owner(self.owner.as_deref().unwrap_or(&self.name));
        if owner.is_none() && self.owner.is_some() {
            note(
                "/owner",
                "must be a name, or token: or bulk: and the name of a token or bulk client of the settings",
            );
        }
        let kind = CredentialKind::from_name(&self.kind);
        if kind.is_none() {
            note(
                "/kind",
                "must be internal_token, api_key, bulk_client or ops",
            );
        }
        let scopes = kind.and_then(|kind| read_scopes(kind, self.scopes.as_deref()));
        if kind.is_some() && scopes.is_none() {
            note("/scopes", "must be scopes that a key of this kind can have");
        }
        let is_type = |name: &String| OperationType::from_name(name).is_some();
        if !is_list(self.operation_types.as_deref(), is_type) {
            note("/operation_types", "must be operation types");
        }
        let is_lender = |name: &String| {
            !name.trim().is_empty()
                && name.chars().count() <= LONGEST_LENDER
                && !name.contains('\0')
        };
        if !is_list(self.lenders.as_deref(), is_lender) {
            note("/lenders", "must be names of lenders");
        }
        if self.rate.is_some_and(|rate| rate < 1) {
            note("/rate", "must be at least 1 request a minute");
        }
        let is_network = |text: &String| read_network(text).is_some();
        if !is_list(self.addresses.as_deref(), is_network) {
            note(
                "/addresses",
                "must be addresses or networks, such as 10.1.0.0/16",
            );
        }
        let (Some(owner), Some(kind), Some(scopes), true) =
            (owner, kind, scopes, problems.is_empty())
        else {
            return Err(problems);
        };
        let addresses = self.addresses.as_ref();
        Ok(CredentialSettings {
            name: self.name.clone(),
            owner,
            kind,
            scopes,
            operation_types: self.operation_types.clone(),
            lenders: self.lenders.clone(),
            rate: self.rate,
            addresses: addresses
                .map(|texts| texts.iter().filter_map(|text| read_network(text)).collect()),
            expires_at: self.expires_at,
        })
    }
}

/// Whether each of a list is valid. An empty list is not: whoever wants no restriction leaves it out.
fn is_list(list: Option<&[String]>, is_valid: impl Fn(&String) -> bool) -> bool {
    list.is_none_or(|list| (1..=MOST).contains(&list.len()) && list.iter().all(is_valid))
}

fn is_name(text: &str) -> bool {
    let is_plain = |letter: u8| letter.is_ascii_alphanumeric() || b"-_.".contains(&letter);
    // A key is also named by its id.
    let is_id = Uuid::try_parse(text).is_ok();
    (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(is_plain) && !is_id
}

/// Reads an owner: a name, or the owner of a credential in the settings.
fn read_owner(text: &str) -> Option<Owner> {
    let owner = Owner::from_text(text).unwrap_or_else(|| Owner::Named(text.into()));
    let (Owner::Named(name) | Owner::Token(name) | Owner::BulkClient(name)) = &owner;
    is_name(name).then_some(owner)
}

fn read_scopes(kind: CredentialKind, names: Option<&[String]>) -> Option<Scopes> {
    let Some(names) = names else {
        return Some(Scopes::of(kind.usual()));
    };
    let scopes = names.iter().map(|name| {
        let scope = Scope::from_name(name);
        scope.filter(|scope| kind.possible().contains(scope))
    });
    scopes.collect::<Option<Vec<_>>>().and_then(|scopes| {
        let is_some = !scopes.is_empty();
        is_some.then(|| scopes.into_iter().collect())
    })
}

/// Reads a network, or an address, which is a network of its own.
fn read_network(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> KeyRequest {
        KeyRequest {
            name: "acme".to_owned(),
            kind: "internal_token".to_owned(),
            ..KeyRequest::default()
        }
    }

    fn list(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn what_is_left_out_is_what_is_usual() {
        let settings = request().check().unwrap();
        assert_eq!(settings.owner, Owner::Named("acme".into()));
        let usual = CredentialKind::InternalToken.usual();
        assert_eq!(settings.scopes, Scopes::of(usual));
        for (text, expected) in [
            ("los", "owner:los"),
            ("owner:los", "owner:los"),
            ("token:los", "token:los"),
            ("bulk:los", "bulk:los"),
        ] {
            let owner = Some(text.to_owned());
            let settings = KeyRequest { owner, ..request() }.check().unwrap();
            assert_eq!(settings.owner.to_string(), expected);
        }
        let addresses = Some(list(&["10.1.2.3", "10.0.0.0/8", "2001:db8::/32"]));
        let settings = KeyRequest {
            addresses,
            ..request()
        }
        .check()
        .unwrap();
        let networks = settings.addresses.unwrap();
        assert_eq!(networks[0].to_string(), "10.1.2.3/32");
        assert_eq!(networks.len(), 3);
    }

    #[test]
    fn every_problem_is_named() {
        for (request, pointer) in [
            (
                KeyRequest {
                    name: "a b".to_owned(),
                    ..request()
                },
                "/name",
            ),
            (
                KeyRequest {
                    owner: Some("x:y".to_owned()),
                    ..request()
                },
                "/owner",
            ),
            (
                KeyRequest {
                    kind: "token".to_owned(),
                    ..request()
                },
                "/kind",
            ),
            (
                KeyRequest {
                    scopes: Some(list(&["bulk"])),
                    ..request()
                },
                "/scopes",
            ),
            (
                KeyRequest {
                    scopes: Some(list(&[])),
                    ..request()
                },
                "/scopes",
            ),
            (
                KeyRequest {
                    operation_types: Some(list(&["PAY"])),
                    ..request()
                },
                "/operation_types",
            ),
            (
                KeyRequest {
                    lenders: Some(list(&[""])),
                    ..request()
                },
                "/lenders",
            ),
            (
                KeyRequest {
                    rate: Some(0),
                    ..request()
                },
                "/rate",
            ),
            (
                KeyRequest {
                    addresses: Some(list(&["10.0.0.0/33"])),
                    ..request()
                },
                "/addresses",
            ),
        ] {
            let problems = request.check().unwrap_err();
            let pointers: Vec<&str> = problems.iter().map(|problem| &*problem.pointer).collect();
            assert_eq!(pointers, [pointer]);
        }
    }

    #[test]
    fn a_name_is_no_id() {
        assert!(is_name("acme-los.2027_x") && !is_name(""));
        assert!(!is_name(&Uuid::nil().to_string()));
        assert!(!is_name(&Uuid::nil().simple().to_string()));
    }
}
