//! Puts an operation on hold, and releases it. An operation on hold keeps its lane entries, so the operations behind it
//! wait.

use serde_json::json;

use super::{ActionError, Found, Operator, Unfit, audit::Action, seen};
use crate::{
    domain::State,
    store::{Store, connect, names, patience::WithTimeout},
};

impl Store {
    /// Puts an operation on hold, or releases it, depending on `is_on_hold`. An operation that a worker is running
    /// cannot be put on hold. Repeating the call has no further effect. If an operation that is on hold by hold-all is
    /// put on hold, it is on hold individually from then on. So it is not released together with the other operations.
    pub async fn hold(
        &self,
        found: &Found,
        is_on_hold: bool,
        operator: &Operator,
    ) -> Result<(), ActionError> {
        const ACTION: &str = "put an operation on hold or release it";
        let id = found.tracking_id.id;
        let mut transaction = connect::begin(&self.pool).or_fail_to(ACTION).await?;
        let before = seen::lock(&mut transaction, id, operator).await?;
        let row = sqlx::query!(
            "SELECT state, on_hold, hold_all FROM operation WHERE id = $1",
            id.0
        )
        .fetch_optional(&mut *transaction)
        .or_fail_to(ACTION)
        .await?
        // It was archived.
        .ok_or(Unfit::Ended)?;
        let state = names::state(&row.state)?;
        match state {
            State::Waiting | State::Ready => {}
            // A hold-all also puts running and parked operations on hold, so these can be released.
            State::Running | State::Parked if row.on_hold && !is_on_hold => {}
            State::Running => return Err(Unfit::Running.into()),
            State::Parked => return Err(Unfit::Parked.into()),
            State::Succeeded | State::Failed => return Err(Unfit::Ended.into()),
        }
        if row.on_hold == is_on_hold && row.hold_all.is_none() {
            return Ok(());
        }
        sqlx::query!(
            // The time on hold does not count as a time of retries, so `reason_since` starts again.
            "UPDATE operation
                SET on_hold = $2, hold_all = NULL,
                    reason_since = CASE WHEN state = $3 THEN reason_since WHEN reason_code IS NOT NULL THEN now() END
              WHERE id = $1",
            id.0,
            is_on_hold,
            State::Parked.as_str()
        )
        .execute(&mut *transaction)
        .or_fail_to(ACTION)
        .await?;
        let action = if is_on_hold {
            Action::Hold
        } else {
            Action::Release
        };
        let detail = json!({ "state": state.as_str() });
        operator
            .record(&mut transaction, action, (id, before), detail)
            .await?;
        transaction.commit().or_fail_to(ACTION).await?;
        if !is_on_hold {
            self.notifier.notify_work();
        }
        Ok(())
    }
}
