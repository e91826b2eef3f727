//! Deliveries that are sent again, by their owner or by an operator.

use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::Owner,
    store::{Operator, Store, StoreError, connect, operators::Action, patience::WithTimeout},
};

const ACTION: &str = "send webhooks again";

impl Store {
    /// Makes a delivery due now, also if it was delivered or given up, and ends the pause of its endpoint. Returns whether the
    /// owner has such a delivery.
    pub async fn resend_webhook(&self, owner: &Owner, delivery: i64) -> Result<bool, StoreError> {
        let mut connection = self.pool.acquire().or_fail_to(ACTION).await?;
        let due = make_due(&mut connection, Some(owner), None, &[delivery]).await?;
        Ok(due == 1)
    }

    /// Does the same for deliveries to one endpoint, for an operator. Returns how many there are.
    pub async fn resend_webhooks(
        &self,
        endpoint: Uuid,
        deliveries: &[i64],
        operator: &Operator,
    ) -> Result<i64, StoreError> {
        let mut transaction = connect::begin_batch(&self.pool).or_fail_to(ACTION).await?;
        let due = make_due(&mut transaction, None, Some(endpoint), deliveries).await?;
        if due == 0 {
            return Ok(0);
        }
        let detail = json!({ "endpoint_id": endpoint, "deliveries": deliveries });
        operator
            .record_for_all(&mut transaction, Action::ResendWebhooks, detail)
            .await?;
        transaction.commit().or_fail_to(ACTION).await?;
        Ok(due)
    }
}

/// Makes those of these deliveries due that belong to the owner and to the endpoint, and ends the pause of their endpoint.
async fn make_due(
    connection: &mut PgConnection,
    owner: Option<&Owner>,
    endpoint: Option<Uuid>,
    deliveries: &[i64],
) -> Result<i64, StoreError> {
    sqlx::query_scalar!(
        r#"WITH due AS (
               UPDATE webhook_delivery d SET due_at = now(), tries = 0, delivered_at = NULL
                 FROM webhook_endpoint w
                WHERE d.id = ANY ($3) AND w.id = d.endpoint_id AND w.removed_at IS NULL
                  AND ($1::text IS NULL OR w.owner = $1) AND ($2::uuid IS NULL OR w.id = $2)
            RETURNING w.id
           ), free AS (
               UPDATE webhook_endpoint SET paused_until = NULL WHERE id IN (SELECT id FROM due)
           )
           SELECT count(*) AS "count!" FROM due"#,
        owner.map(Owner::to_string),
        endpoint,
        deliveries
    )
    .fetch_one(connection)
    .or_fail_to(ACTION)
    .await
}
