//! Creating, rotating and revoking credentials. Each change leaves a row in the audit.

use std::time::Duration;

use serde_json::json;
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

use super::{CredentialSettings, CredentialTable};
use crate::{
    domain::{CredentialSecret, Scope},
    store::{Operator, StoreError, connect::begin, operators::Action, patience::WithTimeout as _},
};

/// Why a credential was not created or changed.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// A credential in use has this name.
    #[error("A key that is in use has this name.")]
    NameInUse,
    /// The time at which it would expire has passed, by the time of Postgres.
    #[error("The time of expires_at has passed.")]
    Expired,
    /// There is no credential with this id, or it was revoked or has expired.
    #[error("There is no such key, or it was revoked or has expired.")]
    Unknown,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CredentialTable {
    /// Creates a credential. Returns its first secret.
    pub async fn create(
        &self,
        settings: &CredentialSettings,
        operator: &Operator,
    ) -> Result<CredentialSecret, CredentialError> {
        const ACTION: &str = "create a credential";
        let secret = CredentialSecret::random(Uuid::now_v7());
        let scopes = settings.scopes.iter().map(Scope::as_str);
        let scopes: Vec<String> = scopes.map(str::to_owned).collect();
        let networks = settings.addresses.as_ref();
        let networks: Option<Vec<String>> =
            networks.map(|networks| networks.iter().map(ToString::to_string).collect());
        let mut transaction = begin(&self.0).or_fail_to(ACTION).await?;
        let is_past = sqlx::query_scalar!(
            r#"SELECT COALESCE($1 <= now(), false) AS "is_past!""#,
            settings.expires_at
        )
        .fetch_one(&mut *transaction)
        .or_fail_to(ACTION)
        .await?;
        if is_past {
            return Err(CredentialError::Expired);
        }
        let inserted = sqlx::query!(
            "INSERT INTO credential (id, name, owner, kind, scopes, operation_types, lenders, rate, addresses, expires_at,
                                     created_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
                 ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING",
            secret.id,
            settings.name,
            settings.owner.to_string(),
            settings.kind.as_str(),
            &scopes,
            settings.operation_types.as_deref(),
            settings.lenders.as_deref(),
            settings.rate,
            networks.as_deref(),
            settings.expires_at,
            operator.name
        )
        .execute(&mut *transaction)
        .or_fail_to(ACTION)
        .await?;
        if inserted.rows_affected() == 0 {
            return Err(CredentialError::NameInUse);
        }
        insert_secret(&mut transaction, &secret).await?;
        let detail = json!({
            "key": secret.id, "name": settings.name, "owner": settings.owner.to_string(),
            "kind": settings.kind.as_str(), "scopes": scopes,
        });
        operator
            .record_for_all(&mut transaction, Action::CreateKey, detail)
            .await?;
        transaction.commit().or_fail_to(ACTION).await?;
        Ok(secret)
    }

    /// Gives a credential a new secret, which it returns. Those before it end after `overlap`, or earlier if an earlier
    /// rotation said so. So a rotation that is repeated, because its answer was lost, ends none that is in use.
    pub async fn rotate(
        &self,
        id: Uuid,
        overlap: Duration,
        operator: &Operator,
    ) -> Result<CredentialSecret, CredentialError> {
        const ACTION: &str = "rotate a credential";
        let secret = CredentialSecret::random(id);
        let overlap = PgInterval {
            months: 0,
            days: 0,
            microseconds: i64::try_from(overlap.as_micros()).unwrap_or(i64::MAX),
        };
        let mut transaction = begin(&self.0).or_fail_to(ACTION).await?;
        let name = sqlx::query_scalar!(
            "SELECT name FROM credential
              WHERE id = $1 AND revoked_at IS NULL AND COALESCE(expires_at > now(), true)
                FOR NO KEY UPDATE",
            id
        )
        .fetch_optional(&mut *transaction)
        .or_fail_to(ACTION)
        .await?;
        let name = name.ok_or(CredentialError::Unknown)?;
        sqlx::query!(
            "DELETE FROM credential_secret WHERE credential_id = $1 AND valid_until <= now()",
            id
        )
        .execute(&mut *transaction)
        .or_fail_to(ACTION)
        .await?;
        sqlx::query!(
            "UPDATE credential_secret SET valid_until = LEAST(valid_until, now() + $2::interval)
              WHERE credential_id = $1",
            id,
            overlap
        )
        .execute(&mut *transaction)
        .or_fail_to(ACTION)
        .await?;
        insert_secret(&mut transaction, &secret).await?;
        operator
            .record_for_all(
                &mut transaction,
                Action::RotateKey,
                json!({ "key": id, "name": name }),
            )
            .await?;
        transaction.commit().or_fail_to(ACTION).await?;
        Ok(secret)
    }

    /// Revokes a credential: from now on it permits nothing.
    pub async fn revoke(&self, id: Uuid, operator: &Operator) -> Result<(), CredentialError> {
        const ACTION: &str = "revoke a credential";
        let mut transaction = begin(&self.0).or_fail_to(ACTION).await?;
        let name = sqlx::query_scalar!(
            "UPDATE credential SET revoked_at = now(), revoked_by = $2
              WHERE id = $1 AND revoked_at IS NULL
          RETURNING name",
            id,
            operator.name
        )
        .fetch_optional(&mut *transaction)
        .or_fail_to(ACTION)
        .await?;
        let name = name.ok_or(CredentialError::Unknown)?;
        operator
            .record_for_all(
                &mut transaction,
                Action::RevokeKey,
                json!({ "key": id, "name": name }),
            )
            .await?;
        transaction.commit().or_fail_to(ACTION).await?;
        Ok(())
    }
}

async fn insert_secret(
    connection: &mut sqlx::PgConnection,
    secret: &CredentialSecret,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO credential_secret (credential_id, digest) VALUES ($1, $2)",
        secret.id,
        &secret.digest()[..]
    )
    .execute(connection)
    .or_fail_to("store the secret of a credential")
    .await
    .map(drop)
}
