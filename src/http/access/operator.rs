//! Operators who sign in to the page, by name.

use std::{net::IpAddr, time::Instant};

use subtle::ConstantTimeEq as _;

use super::{
    Caller, Refusal,
    authenticate::{from_database, from_settings},
    refusal::Why,
};
use crate::{
    domain::{CredentialKind, Owner, Scope},
    http::{
        need::Need,
        state::ApiState,
        tokens::{OPERATOR, digest},
    },
    store::Digest,
};

/// What whoever signs in must have.
const NEED: Need = &[Scope::OpsRead];

/// The operator with this name and this secret, and the digest of the secret. The secret is not looked at if too many wrong
/// ones came from the address.
pub(in crate::http) fn sign_in(
    api: &ApiState,
    peer: Option<IpAddr>,
    name: &str,
    secret: &[u8],
) -> Result<(Digest, Caller), Refusal> {
    may_guess(api, peer)?;
    let digest = digest(secret);
    find(api, peer, name, |known| known.ct_eq(&digest).into()).map_err(|why| refuse(api, peer, why))
}

/// The operator who has proven to be the one with this name before: the proof recognises the digest of a secret.
pub(in crate::http) fn find_operator(
    api: &ApiState,
    peer: Option<IpAddr>,
    name: &str,
    is_proven: impl Fn(&Digest) -> bool,
) -> Result<(Digest, Caller), Refusal> {
    find(api, peer, name, is_proven).map_err(|why| Refusal::counted(NEED, why))
}

/// An error if too many wrong secrets came from the address.
pub(in crate::http) fn may_guess(api: &ApiState, peer: Option<IpAddr>) -> Result<(), Refusal> {
    let checked = api.wrong_secrets.check(peer, Instant::now());
    checked.map_err(|why| Refusal::counted(NEED, why))
}

/// Counts a wrong secret of the address.
pub(in crate::http) fn count_wrong_guess(api: &ApiState, peer: Option<IpAddr>) -> Refusal {
    refuse(api, peer, Why::WrongSecret)
}

fn refuse(api: &ApiState, peer: Option<IpAddr>, why: Why) -> Refusal {
    api.wrong_secrets.note(peer, why, Instant::now());
    Refusal::counted(NEED, why)
}

fn find(
    api: &ApiState,
    peer: Option<IpAddr>,
    name: &str,
    is_it: impl Fn(&Digest) -> bool,
) -> Result<(Digest, Caller), Why> {
    if let Some(digest) = api.tokens.token_of(name, &is_it) {
        let owner = Owner::Token(name.into());
        let caller = from_settings(&api.credentials, name.into(), owner, OPERATOR);
        return Ok((digest, caller));
    }
    let entries = api.credentials.all(|entry| {
        entry.credential.settings.kind == CredentialKind::Ops && *entry.name == *name
    })?;
    let now = api.credentials.now();
    let mut found = entries
        .into_iter()
        .map(|entry| (entry.recognise(&is_it, now), entry))
        .filter(|(digest, _)| *digest != Err(Why::WrongSecret));
    let (digest, entry) = found.next().ok_or(Why::WrongSecret)?;
    let digest = digest?;
    entry.admit(peer, Instant::now())?;
    Ok((digest, from_database(&api.credentials, entry, digest)))
}
