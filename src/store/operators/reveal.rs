//! Records that an operator has looked at people's data.

use serde_json::json;

use super::{
    Found, Operator,
    audit::{Action, lock},
};
use crate::{
    domain::OperationId,
    store::{Store, StoreError, connect, patience::WithTimeout},
};

impl Store {
    /// Records that an operator looks at the people's data of an operation. Called before the data is shown.
    pub async fn record_reveal(
        &self,
        found: &Found,
        operator: &Operator,
    ) -> Result<(), StoreError> {
        const ACTION: &str = "record a look at people's data";
        let id = found.tracking_id.id;
        let mut transaction = connect::begin(&self.pool).or_fail_to(ACTION).await?;
        let before = lock(&mut transaction, id).await?;
        operator
            .record(&mut transaction, Action::Reveal, (id, before), json!({}))
            .await?;
        transaction.commit().or_fail_to(ACTION).await
    }
    /// Records that an operator reads people's data of an operation, unless the audit has it that this operator did so within
    /// the last hour: programs read an operation again and again. Called before the data is shown. Waits for no lock.
    pub async fn record_read(
        &self,
        id: OperationId,
        operator: &Operator,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "INSERT INTO audit (operator, action, operation_id, request_id, detail, address, reason, credential_id)
             SELECT $1, $2, $3, $4, '{}', $5, $6, $7
              WHERE NOT EXISTS (
                        SELECT
                          FROM audit
                         WHERE operation_id = $3 AND action = $2 AND operator = $1 AND credential_id IS NOT DISTINCT FROM $7
                           AND at > now() - interval '1 hour')",
            operator.name,
            Action::Reveal.as_str(),
            id.0,
            operator.request_id,
            operator.address,
            operator.reason,
            operator.credential
        )
        .execute(&self.pool)
        .or_fail_to("record that people's data is read")
        .await
        .map(drop)
    }
}
