//! Reading credentials.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use uuid::Uuid;

use super::{Credential, CredentialChanges, CredentialSettings, CredentialTable, StoredSecret};
use crate::{
    domain::{CredentialKind, Owner, Scope},
    store::{
        StoreError, connect,
        error::failed_to,
        patience::{self, WithTimeout as _},
    },
};

/// How long the read may take that looks for changes. A gateway that cannot read goes on with what it knows.
const CHANGES_TIMEOUT: Duration = Duration::from_secs(2);

struct Row {
    id: Uuid,
    name: String,
    owner: String,
    kind: String,
    scopes: Vec<String>,
    operation_types: Option<Vec<String>>,
    lenders: Option<Vec<String>>,
    rate: Option<i32>,
    addresses: Option<Vec<String>>,
    expires_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    created_by: String,
    revoked_at: Option<DateTime<Utc>>,
    revoked_by: Option<String>,
    used_at: Option<DateTime<Utc>>,
    digests: Vec<Vec<u8>>,
    secrets_created: Vec<DateTime<Utc>>,
    secrets_valid: Vec<Option<DateTime<Utc>>>,
}

impl CredentialTable {
    /// Reads how often the credentials have changed.
    pub async fn changes(&self) -> Result<CredentialChanges, StoreError> {
        let reading = connect::retry_on_broken_connection(&self.0, || {
            sqlx::query_as!(
                CredentialChanges,
                r#"SELECT COALESCE((SELECT number FROM credential_change), 0) AS "number!", clock_timestamp() AS "now!""#
            )
            .fetch_one(&self.0)
        });
        patience::within(CHANGES_TIMEOUT, reading)
            .await
            .map_err(failed_to("look for changes of credentials"))
    }

    /// Reads all credentials, the newest first, except those that were revoked more than 30 days ago. Leaves out a
    /// credential of a kind that this gateway does not know.
    pub async fn all(&self) -> Result<Vec<Credential>, StoreError> {
        self.read(None).await
    }

    /// Finds the credential with this id, or the one in use with this name.
    pub async fn find(&self, id_or_name: &str) -> Result<Option<Credential>, StoreError> {
        Ok(self.read(Some(id_or_name)).await?.into_iter().next())
    }

    async fn read(&self, only: Option<&str>) -> Result<Vec<Credential>, StoreError> {
        let id = only.map(|only| Uuid::try_parse(only).unwrap_or_default());
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT c.id, c.name, c.owner, c.kind, c.scopes, c.operation_types, c.lenders, c.rate, c.addresses,
                      c.expires_at, c.created_at, c.created_by, c.revoked_at, c.revoked_by, u.used_at AS "used_at?",
                      COALESCE(s.digests, '{}') AS "digests!", COALESCE(s.created, '{}') AS "secrets_created!",
                      COALESCE(s.valid, '{}') AS "secrets_valid!: Vec<Option<DateTime<Utc>>>"
                 FROM credential c
                 LEFT JOIN credential_use u ON u.credential_id = c.id
                 LEFT JOIN LATERAL (
                      SELECT array_agg(digest ORDER BY created_at) AS digests,
                             array_agg(created_at ORDER BY created_at) AS created,
                             array_agg(valid_until ORDER BY created_at) AS valid
                        FROM credential_secret
                       WHERE credential_id = c.id) s ON true
                WHERE CASE WHEN $1::text IS NULL THEN COALESCE(c.revoked_at > now() - interval '30 days', true)
                           ELSE c.id = $2 OR (c.name = $1 AND c.revoked_at IS NULL) END
                ORDER BY c.id DESC"#,
            only,
            id
        )
        .fetch_all(&self.0)
        .or_fail_to("read credentials")
        .await?;
        Ok(rows.into_iter().filter_map(Row::into_credential).collect())
    }
}

impl Row {
    fn into_credential(self) -> Option<Credential> {
        let id = self.id;
        let known = CredentialKind::from_name(&self.kind).zip(Owner::from_text(&self.owner));
        let Some((kind, owner)) = known else {
            tracing::warn!(credential.id = %id, "a credential is of a kind that this gateway does not know, and cannot be used here");
            return None;
        };
        let scopes = self.scopes.iter();
        let addresses = self.addresses.map(|networks| {
            // A network that cannot be read permits nothing.
            let networks = networks.iter();
            networks
                .filter_map(|network| network.parse::<IpNet>().ok())
                .collect()
        });
        let secrets = self.digests.into_iter().zip(self.secrets_created);
        let secrets = secrets.zip(self.secrets_valid);
        Some(Credential {
            id,
            settings: CredentialSettings {
                name: self.name,
                owner,
                kind,
                scopes: scopes.filter_map(|name| Scope::from_name(name)).collect(),
                operation_types: self.operation_types,
                lenders: self.lenders,
                rate: self.rate,
                addresses,
                expires_at: self.expires_at,
            },
            secrets: secrets
                .filter_map(|((digest, created_at), valid_until)| {
                    Some(StoredSecret {
                        digest: digest.try_into().ok()?,
                        created_at,
                        valid_until,
                    })
                })
                .collect(),
            created_at: self.created_at,
            created_by: self.created_by,
            used_at: self.used_at,
            revoked: self.revoked_at.zip(self.revoked_by),
        })
    }
}
