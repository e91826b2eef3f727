//! The secrets of callers, operators and bulk clients: their syntax, and rules about duplicates.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::{ExposeSecret, SecretString};

use super::reader::Reader;
use super::values::{entries, is_header_text};

/// How many secrets one name may have at the same time: the old and the new one during a rotation.
const SECRETS_PER_NAME: usize = 2;

/// The secret of a caller.
#[derive(Debug, Clone)]
pub struct NamedSecret {
    /// The caller's name in logs and audit.
    pub name: String,
    /// The secret that the caller sends.
    pub secret: SecretString,
}

/// The credentials of a bulk client. The client sends them in four headers.
#[derive(Debug, Clone)]
pub struct BulkClient {
    /// The client's name in logs and audit.
    pub name: String,
    /// The header `client_id`.
    pub client_id: String,
    /// The header `client_secret`.
    pub client_secret: SecretString,
    /// The header `appIdentifier`.
    pub app_identifier: String,
    /// The header `organisationId`.
    pub organisation_id: String,
}

/// Reads `name=secret,…`. Entries may also be separated by line breaks.
pub(super) fn named_secrets(reader: &mut Reader<'_>, variable: &'static str) -> Vec<NamedSecret> {
    let Some(list) = reader.secret(variable) else {
        return Vec::new();
    };
    let mut secrets = Vec::new();
    for (position, entry) in entries(list.expose_secret()) {
        match entry.split_once('=') {
            Some((name, secret)) if is_name(name) && is_header_text(secret) => {
                secrets.push(NamedSecret {
                    name: name.to_owned(),
                    secret: secret.into(),
                });
            }
            _ => {
                // The problem does not quote the entry, because even a malformed entry may contain a secret.
                let problem = format!("has an entry (number {position}) that is not name=secret");
                reader.problem(variable, problem);
            }
        }
    }
    if entries(list.expose_secret()).next().is_none() {
        reader.problem(variable, "has no entry name=secret");
    }
    check_rotation(reader, variable, &secrets);
    secrets
}

/// Reads `name=client_id:client_secret:appIdentifier:organisationId,…`.
pub(super) fn bulk_clients(reader: &mut Reader<'_>, variable: &'static str) -> Vec<BulkClient> {
    let mut clients = Vec::new();
    for NamedSecret { name, secret } in named_secrets(reader, variable) {
        let parts: Vec<_> = secret.expose_secret().split(':').collect();
        if parts.iter().any(|part| part.is_empty()) {
            reader.problem(variable, format!("has an empty part for {name}"));
            continue;
        }
        let [client_id, client_secret, app_identifier, organisation_id] = parts[..] else {
            let parts = "client_id:client_secret:appIdentifier:organisationId";
            reader.problem(
                variable,
                format!("does not have the four parts {parts} for {name}"),
            );
            continue;
        };
        clients.push(BulkClient {
            name,
            client_id: client_id.to_owned(),
            client_secret: client_secret.into(),
            app_identifier: app_identifier.to_owned(),
            organisation_id: organisation_id.to_owned(),
        });
    }
    clients
}

fn check_rotation(reader: &mut Reader<'_>, variable: &'static str, secrets: &[NamedSecret]) {
    let mut counts = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for NamedSecret { name, secret } in secrets {
        *counts.entry(name).or_insert(0) += 1;
        if !seen.insert(secret.expose_secret()) {
            reader.problem(
                variable,
                format!("contains the same secret twice; the second one belongs to {name}"),
            );
        }
    }
    for (name, count) in counts {
        if count > SECRETS_PER_NAME {
            let problem = format!(
                "has {count} secrets for {name}, but at most two are permitted (for a rotation)"
            );
            reader.problem(variable, problem);
        }
    }
}

/// Whether the lists have a secret in common.
pub(super) fn share_a_secret(some: &[NamedSecret], others: &[NamedSecret]) -> bool {
    let some: BTreeSet<_> = some
        .iter()
        .map(|some| some.secret.expose_secret())
        .collect();
    others
        .iter()
        .any(|other| some.contains(other.secret.expose_secret()))
}

/// Whether the text is a valid name. Names appear in logs and in the audit, and are stored together with the callers'
/// idempotency keys.
fn is_name(text: &str) -> bool {
    let is_plain = |letter: u8| letter.is_ascii_alphanumeric() || b"-_.".contains(&letter);
    !text.is_empty() && text.bytes().all(is_plain)
}
