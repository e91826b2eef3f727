//! Recognises the credential of a request.

use std::{net::IpAddr, sync::Arc, time::Instant};

use axum::http::request::Parts;
use tracing::Span;

use super::{
    Caller, Refusal, Validity, credentials::Credentials, entry::Entry, presented::Presented,
    refusal::Why,
};
use crate::{
    domain::{CredentialSecret, Owner, Scopes},
    http::{bulk::BULK_CLIENT, need::Need, observe::Peer, state::ApiState},
    store::Digest,
};

/// Finds out who sent a request, and whether a route with this need accepts the credential. A refusal is counted.
pub(in crate::http) fn authenticate(
    api: &ApiState,
    parts: &Parts,
    need: Need,
) -> Result<Caller, Refusal> {
    let caller = find(api, parts, need).map_err(|why| Refusal::counted(need, why))?;
    Span::current().record("caller", &*caller.name);
    Ok(caller)
}

/// The address from which a request comes.
pub(in crate::http) fn peer_of(parts: &Parts) -> Option<IpAddr> {
    let peer: Option<&Peer> = parts.extensions.get();
    peer.map(|Peer(address)| *address)
}

fn find(api: &ApiState, parts: &Parts, need: Need) -> Result<Caller, Why> {
    let presented = Presented::read(&parts.headers, need).ok_or(Why::Missing)?;
    let (peer, now) = (peer_of(parts), Instant::now());
    api.wrong_secrets.check(peer, now)?;
    let known = match of_settings(api, presented) {
        Some(caller) => Ok(caller),
        None => of_database(api, presented),
    };
    let caller = known.inspect_err(|why| api.wrong_secrets.note(peer, *why, now))?;
    if let Some(entry) = &caller.entry {
        entry.admit(peer, now)?;
    }
    match need.first() {
        Some(first) if !need.iter().any(|scope| caller.scopes.has(*scope)) => {
            Err(Why::Scope(*first))
        }
        _ => Ok(caller),
    }
}

/// The credential of the settings with this secret.
fn of_settings(api: &ApiState, presented: Presented<'_>) -> Option<Caller> {
    let (name, owner, scopes) = match presented {
        Presented::Token(secret) => {
            let (name, scopes) = api.tokens.find(secret)?;
            (Arc::clone(&name), Owner::Token(name), scopes)
        }
        Presented::ApiKey(secret) => {
            let (name, scopes) = api.api_keys.find(secret)?;
            (Arc::clone(&name), Owner::Token(name), scopes)
        }
        Presented::BulkClient(values) => {
            let name = api.bulk.clients().client(values)?;
            (Arc::clone(&name), Owner::BulkClient(name), BULK_CLIENT)
        }
    };
    Some(from_settings(&api.credentials, name, owner, scopes))
}

/// The sender with a credential of the settings.
pub(in crate::http) fn from_settings(
    credentials: &Credentials,
    name: Arc<str>,
    owner: Owner,
    scopes: Scopes,
) -> Caller {
    Caller {
        name,
        owner,
        scopes,
        validity: Validity::of_settings(credentials),
        entry: None,
    }
}

/// The credential of the database with this secret.
fn of_database(api: &ApiState, presented: Presented<'_>) -> Result<Caller, Why> {
    let secret = CredentialSecret::parse(presented.secret()).ok_or(Why::WrongSecret)?;
    let entry = api.credentials.find(secret.id)?.ok_or(Why::WrongSecret)?;
    let digest = entry.recognise_digest(&secret.digest(), api.credentials.now())?;
    if !presented.is_way_of(entry.credential.settings.kind) {
        return Err(Why::WrongHeader);
    }
    if let Presented::BulkClient([client_id, ..]) = presented {
        let claimed = std::str::from_utf8(client_id).ok();
        let claimed = claimed.and_then(|text| uuid::Uuid::try_parse(text).ok());
        if claimed != Some(secret.id) {
            return Err(Why::WrongSecret);
        }
    }
    Ok(from_database(&api.credentials, entry, digest))
}

/// The sender with a credential of the database.
pub(super) fn from_database(
    credentials: &Credentials,
    entry: Arc<Entry>,
    digest: Digest,
) -> Caller {
    let settings = &entry.credential.settings;
    Caller {
        name: Arc::clone(&entry.name),
        owner: settings.owner.clone(),
        scopes: settings.scopes,
        validity: Validity::of(credentials, entry.credential.id, digest),
        entry: Some(entry),
    }
}
