//! Running an operation again: a parked one goes on, a failed one becomes a new operation.

use serde_json::{json, value::RawValue};
use sqlx::{PgConnection, types::Json};

use super::{ActionError, Found, Operator, Unfit, audit::Action};
use crate::{
    domain::OperationId,
    store::{
        Asking, NewOperation, Store, StoreError, TrackingName,
        accept::{insert_operations, place_in_lanes},
        connect, failures_read, lanes,
    },
};

const ACTION: &str = "run an operation again";

/// What a failed operation was made of.
#[derive(Debug)]
pub struct Retryable {
    /// Its payload, word for word.
    pub payload: Box<RawValue>,
    /// The name of the token it came with.
    pub caller: String,
}

impl Store {
    /// Makes a parked operation ready at once, with the key and the attempts it has.
    pub async fn retry_parked(
        &self,
        found: &Found,
        operator: &Operator,
    ) -> Result<(), ActionError> {
        let id = found.tracking_id.id;
        let mut transaction = connect::begin(&self.pool).or_fail_to(ACTION).await?;
        let parked = sqlx::query!(
            "UPDATE operation o
                SET state = 'ready', due_at = now(), lost = 0, why = NULL, why_since = NULL
               FROM (SELECT id, why FROM operation WHERE id = $1 AND state = 'parked'
                        FOR NO KEY UPDATE) was
              WHERE o.id = was.id
          RETURNING was.why AS \"why!\"",
            id.0
        )
        .fetch_optional(&mut *transaction)
        .or_fail_to(ACTION)
        .await?
        .ok_or(Unfit::NotParked)?;
        let detail = json!({ "state": "parked", "why": parked.why });
        operator
            .leaves(&mut transaction, Action::Retry, id, detail)
            .await?;
        transaction.commit().or_fail_to(ACTION).await?;
        self.ends.announce_work();
        Ok(())
    }

    /// What a failed operation was made of, to be checked once more.
    pub async fn retryable(&self, id: OperationId) -> Result<Retryable, StoreError> {
        sqlx::query!(
            "SELECT caller, data AS \"data: Json<Box<RawValue>>\" FROM payload WHERE operation_id = $1",
            id.0
        )
        .fetch_one(&self.pool)
        .or_fail_to("read a payload")
        .await
        .map(|row| Retryable {
            payload: row.data.0,
            caller: row.caller,
        })
    }

    /// Accepts a failed operation anew, at the tails of its lanes.
    pub async fn retry_failed(
        &self,
        failed: &Found,
        new: &NewOperation,
        operator: &Operator,
    ) -> Result<(), ActionError> {
        let id = failed.tracking_id.id;
        let mut transaction = connect::begin(&self.pool).or_fail_to(ACTION).await?;
        // Whoever else runs it again waits for these lanes.
        let locked = failed.places.lanes();
        lanes::lock(&mut transaction, &locked)
            .or_fail_to(ACTION)
            .await?;
        if let Some(retry) = read_retry(&mut transaction, id).await? {
            return Err(Unfit::Retried(retry).into());
        }
        // Or it would fall with the failure that it is to mend.
        failures_read::note(&mut transaction, &[id.0], &locked)
            .or_fail_to(ACTION)
            .await?;
        let placed = place_in_lanes(&mut transaction, &[new])
            .or_fail_to(ACTION)
            .await?;
        insert_operations(&mut transaction, &[new], &placed)
            .or_fail_to(ACTION)
            .await?;
        let detail = json!({ "state": "failed", "retry": new.id.0 });
        operator
            .leaves(&mut transaction, Action::Retry, id, detail)
            .await?;
        transaction.commit().or_fail_to(ACTION).await?;
        self.ends.announce_work();
        if placed.iter().any(|place| place.falls) {
            self.ends.announce_fall();
        }
        Ok(())
    }
}

/// The operation that runs this one again, if there is one.
pub(super) async fn read_retry(
    connection: &mut PgConnection,
    id: OperationId,
) -> Result<Option<TrackingName>, StoreError> {
    sqlx::query!("SELECT id, type FROM operation WHERE retry_of = $1", id.0)
        .fetch_optional(connection)
        .or_fail_to("look for a retry")
        .await
        .map(|row| row.map(|row| TrackingName::new(&row.r#type, row.id)))
}
