//! When credentials were last used.

use uuid::Uuid;

use super::CredentialTable;
use crate::store::{StoreError, patience::WithTimeout as _};

impl CredentialTable {
    /// Records that these credentials were used in this minute.
    pub async fn record_uses(&self, mut ids: Vec<Uuid>) -> Result<(), StoreError> {
        // In one order, so that two gateways do not wait for each other.
        ids.sort_unstable();
        sqlx::query!(
            "INSERT INTO credential_use AS u (credential_id, used_at)
             SELECT id, date_trunc('minute', now()) FROM unnest($1::uuid[]) AS used (id)
                 ON CONFLICT (credential_id) DO UPDATE SET used_at = excluded.used_at
              WHERE u.used_at < excluded.used_at",
            &ids
        )
        .execute(&self.0)
        .or_fail_to("record the use of credentials")
        .await
        .map(drop)
    }
}
