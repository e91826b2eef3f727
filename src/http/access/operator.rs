//! Operators who sign in to the page, by name.

use std::net::IpAddr;

use super::{
    Caller,
    authenticate::{from_database, from_settings},
};
use crate::{
    domain::{CredentialKind, Owner},
    http::{state::ApiState, tokens::OPERATOR},
    store::Digest,
};

/// The operator with this name, one of whose secrets is recognised by its digest, and this digest.
pub(in crate::http) fn find_operator(
    api: &ApiState,
    peer: Option<IpAddr>,
    name: &str,
    is_it: impl Fn(&Digest) -> bool,
) -> Option<(Digest, Caller)> {
    if let Some(digest) = api.tokens.token_of(name, &is_it) {
        let owner = Owner::Token(name.into());
        let caller = from_settings(&api.credentials, name.into(), owner, OPERATOR);
        return Some((digest, caller));
    }
    let entries = api
        .credentials
        .all(|entry| entry.credential.settings.kind == CredentialKind::Ops && *entry.name == *name);
    let now = api.credentials.now();
    entries.into_iter().find_map(|entry| {
        let digest = entry.recognise(&is_it, now).ok()?;
        entry.check_address(peer).ok()?;
        entry.usage.note();
        Some((digest, from_database(&api.credentials, entry, digest)))
    })
}
