//! A key as its administrators see it.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    domain::{CredentialSecret, Scope},
    store::{Credential, StoredSecret},
};

/// A key. Its secrets are never shown, except a new one.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "Key")]
pub struct KeyBody {
    /// The id. A bulk client sends it as `client_id`.
    pub id: Uuid,
    /// The name in logs, in the audit and in commands.
    pub name: String,
    /// Whose operations, batches, events, webhooks and idempotency keys it reaches.
    pub owner: String,
    /// By which header it is sent: `internal_token`, `api_key`, `bulk_client` or `ops`.
    pub kind: &'static str,
    /// What it permits.
    pub scopes: Vec<&'static str>,
    /// The operation types that it may send; `None`: every type.
    pub operation_types: Option<Vec<String>>,
    /// The lenders for which it may send operations that name one; `None`: every lender.
    pub lenders: Option<Vec<String>>,
    /// How many requests a minute each gateway admits; `None`: any number.
    pub rate: Option<i32>,
    /// The networks from which it may be used; `None`: from everywhere.
    pub addresses: Option<Vec<String>>,
    /// When it expires, by the time of the database; `None`: never.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// Who created it.
    pub created_by: String,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Who revoked it.
    pub revoked_by: Option<String>,
    /// Its secrets, the newest last. During a rotation it has more than one.
    pub secrets: Vec<SecretBody>,
    /// The secret; only when it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// What is known of a secret.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "KeySecret")]
pub struct SecretBody {
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends; `None`: with its key.
    pub valid_until: Option<DateTime<Utc>>,
}

impl KeyBody {
    /// The body of a key. `secret`: its new secret.
    pub fn new(credential: Credential, secret: Option<&CredentialSecret>) -> Self {
        let Credential {
            id,
            settings,
            secrets,
            created_at,
            created_by,
            used_at,
            revoked,
        } = credential;
        let (revoked_at, revoked_by) = revoked.unzip();
        let networks = settings.addresses;
        Self {
            id,
            name: settings.name,
            owner: settings.owner.to_string(),
            kind: settings.kind.as_str(),
            scopes: settings.scopes.iter().map(Scope::as_str).collect(),
            operation_types: settings.operation_types,
            lenders: settings.lenders,
            rate: settings.rate,
            addresses: networks.map(|networks| networks.iter().map(ToString::to_string).collect()),
            expires_at: settings.expires_at,
            created_at,
            created_by,
            last_used_at: used_at,
            revoked_at,
            revoked_by,
            secrets: secrets.iter().map(SecretBody::new).collect(),
            secret: secret.map(|secret| secret.reveal().to_owned()),
        }
    }
}

impl SecretBody {
    fn new(secret: &StoredSecret) -> Self {
        Self {
            created_at: secret.created_at,
            valid_until: secret.valid_until,
        }
    }
}
