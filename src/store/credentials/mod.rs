//! Credentials in the database.
//!
//! Every gateway keeps all of them in memory (`http::access`), and reads them again when [`CredentialTable::changes`]
//! says that they have changed, so a request needs no statement for its credential.

mod change;
mod read;
mod uses;

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use uuid::Uuid;

pub use self::change::CredentialError;
use super::{Pool, Store, operators::Digest};
use crate::domain::{CredentialKind, Owner, Scopes};

/// The credentials of a database, for gateways and for commands.
#[derive(Clone, Debug)]
pub struct CredentialTable(Pool);

/// What a credential is for and what it permits. Whoever creates it chooses this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialSettings {
    /// The name in logs, in the audit and in commands.
    pub name: String,
    /// Whose operations, batches, events, webhooks and keys it reaches.
    pub owner: Owner,
    /// By which header it is sent.
    pub kind: CredentialKind,
    /// What it permits.
    pub scopes: Scopes,
    /// The names of the operation types that it may send; `None`: every type.
    pub operation_types: Option<Vec<String>>,
    /// The lenders for which it may send operations that name one; `None`: every lender.
    pub lenders: Option<Vec<String>>,
    /// How many requests a minute each gateway admits; `None`: any number.
    pub rate: Option<i32>,
    /// The networks from which it may be used; `None`: from everywhere.
    pub addresses: Option<Vec<IpNet>>,
    /// When it ends; `None`: never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A credential with its secrets' digests.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The id, which each of its secrets contains.
    pub id: Uuid,
    /// What it is for.
    pub settings: CredentialSettings,
    /// The secrets, the newest last. A credential has more than one during a rotation.
    pub secrets: Vec<StoredSecret>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// Who created it.
    pub created_by: String,
    /// When it was last used, to the minute.
    pub used_at: Option<DateTime<Utc>>,
    /// When it was revoked, and by whom.
    pub revoked: Option<(DateTime<Utc>, String)>,
}

/// What is stored of a secret.
#[derive(Clone, Debug)]
pub struct StoredSecret {
    /// Its SHA-256.
    pub digest: Digest,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends; `None`: with its credential.
    pub valid_until: Option<DateTime<Utc>>,
}

/// How often the credentials have changed, and the time of Postgres.
#[derive(Clone, Copy, Debug)]
pub struct CredentialChanges {
    /// A number that is another one after each change.
    pub number: i64,
    /// The time of Postgres when it answered.
    pub now: DateTime<Utc>,
}

impl CredentialTable {
    /// The credentials in the database of this pool.
    pub fn new(pool: Pool) -> Self {
        Self(pool)
    }
}

impl Store {
    /// The credentials in the database.
    pub fn credentials(&self) -> CredentialTable {
        CredentialTable(self.pool.clone())
    }
}
