//! Deliveries that an operator sends again.

use serde_json::json;
use uuid::Uuid;

use crate::store::{
    Operator, Store, StoreError, connect, operators::Action, patience::WithTimeout,
};

const ACTION: &str = "send webhooks again for an operator";

impl Store {
    /// Makes deliveries to an endpoint due now, also those that were delivered or given up, and ends its pause. Returns how
    /// many there are.
    pub async fn resend_webhooks(
        &self,
        endpoint: Uuid,
        deliveries: &[i64],
        operator: &Operator,
    ) -> Result<i64, StoreError> {
        let mut transaction = connect::begin_batch(&self.pool).or_fail_to(ACTION).await?;
        let due = sqlx::query_scalar!(
            r#"WITH due AS (
                   UPDATE webhook_delivery SET due_at = now(), tries = 0, delivered_at = NULL
                    WHERE id = ANY ($2) AND endpoint_id = $1
                RETURNING id
               ), free AS (
                   UPDATE webhook_endpoint SET paused_until = NULL WHERE id = $1
               )
               SELECT count(*) AS "count!" FROM due"#,
            endpoint,
            deliveries
        )
        .fetch_one(&mut *transaction)
        .or_fail_to(ACTION)
        .await?;
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
