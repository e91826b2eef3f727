//! The keys of the signatures of endpoints.

use std::time::Duration;

use uuid::Uuid;

use crate::{
    domain::Owner,
    store::{Store, StoreError, patience::WithTimeout},
};

impl Store {
    /// Gives an endpoint a new key. The gateway also signs with each older one until the overlap is over, or until the time
    /// that an earlier rotation has set, if that is earlier. Returns whether there is such an endpoint.
    pub async fn rotate_webhook(
        &self,
        owner: &Owner,
        id: Uuid,
        secret: &[u8],
        overlap: Duration,
    ) -> Result<bool, StoreError> {
        let rotated = sqlx::query_scalar!(
            r#"WITH endpoint AS (
                   SELECT id FROM webhook_endpoint WHERE id = $1 AND owner = $2 AND removed_at IS NULL
               ), old AS (
                   UPDATE webhook_secret s SET valid_until = least(valid_until, now() + make_interval(secs => $4))
                     FROM endpoint e
                    WHERE s.endpoint_id = e.id
               ), new AS (
                   INSERT INTO webhook_secret (endpoint_id, secret) SELECT id, $3 FROM endpoint
               )
               SELECT count(*) AS "count!" FROM endpoint"#,
            id,
            owner.to_string(),
            secret,
            overlap.as_secs_f64()
        )
        .fetch_one(&self.pool)
        .or_fail_to("rotate the key of an endpoint of webhooks")
        .await?;
        Ok(rotated == 1)
    }
}
