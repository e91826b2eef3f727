//! Records that an operator has looked at people's data on the page.

use serde_json::json;

use super::{
    Found, Operator,
    audit::{Action, lock},
};
use crate::store::{Store, StoreError, connect, patience::WithTimeout};

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
}
