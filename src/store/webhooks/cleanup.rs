//! Deletes what is old, and what belonged to endpoints that were removed, some at a time.

use std::time::Duration;

use crate::store::{Store, StoreError, patience::WithTimeout};

const ACTION: &str = "delete old deliveries of webhooks";

impl Store {
    /// Deletes some of the deliveries that are older than this, also those that wait: their events are deleted as well.
    /// Returns how many.
    pub(in crate::store) async fn delete_old_deliveries(
        &self,
        keep: Duration,
        most: i64,
    ) -> Result<i64, StoreError> {
        let deleted = sqlx::query!(
            "DELETE FROM webhook_delivery
              WHERE id IN (SELECT id FROM (SELECT id, created_at FROM webhook_delivery ORDER BY id LIMIT $2) oldest
                            WHERE created_at < now() - make_interval(secs => $1))",
            keep.as_secs_f64(),
            most
        )
        .execute(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        Ok(i64::try_from(deleted.rows_affected()).unwrap_or(i64::MAX))
    }

    /// Deletes some of the deliveries of an endpoint that was removed, and then the endpoint. Returns whether more is left.
    pub(in crate::store) async fn delete_removed_webhook(
        &self,
        most: i64,
    ) -> Result<bool, StoreError> {
        let removed = sqlx::query_scalar!(
            "SELECT id FROM webhook_endpoint WHERE removed_at < now() - interval '1 min' LIMIT 1"
        )
        .fetch_optional(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        let Some(id) = removed else {
            return Ok(false);
        };
        let deleted = sqlx::query!(
            "DELETE FROM webhook_delivery
              WHERE id IN (SELECT id FROM webhook_delivery WHERE endpoint_id = $1 ORDER BY id LIMIT $2)",
            id,
            most
        )
        .execute(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        if deleted.rows_affected() == 0 {
            sqlx::query!(
                "WITH secrets AS (DELETE FROM webhook_secret WHERE endpoint_id = $1)
                 DELETE FROM webhook_endpoint WHERE id = $1",
                id
            )
            .execute(&self.pool)
            .or_fail_to(ACTION)
            .await?;
        }
        Ok(true)
    }
}
