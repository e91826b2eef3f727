//! Resolves a parked operation. An operator states how the operation ended. A worker then ends the operation if
//! Fineract does not contradict the statement.

use serde_json::json;

use super::{ActionError, Found, Operator, Unfit, audit::Action, seen};
use crate::{
    domain::Resolution,
    store::{Store, connect, patience::WithTimeout},
};

impl Store {
    /// Submits a resolution for an operation that is parked, or that is on hold and `ready`. An operation on hold that
    /// is not admitted in all its lanes cannot be resolved. After the resolution, the gateway sends no command for the
    /// operation any more. A worker then compares the resolution with Fineract. `nothing_waits` tells whether the
    /// operator has confirmed that no command of the operation waits for a checker. The audit stores the note.
    pub async fn resolve(
        &self,
        found: &Found,
        (resolution, nothing_waits): (Resolution, bool),
        note: Option<&str>,
        operator: &Operator,
    ) -> Result<(), ActionError> {
        const ACTION: &str = "resolve an operation";
        let id = found.tracking_id.id;
        let mut transaction = connect::begin(&self.pool).or_fail_to(ACTION).await?;
        let before = seen::lock(&mut transaction, id, operator).await?;
        let parked = sqlx::query!(
            "UPDATE operation o
                SET state = 'ready', due_at = now(), resolution = $2, nothing_waits = $3, lost = 0, deaths = 0,
                    reason_code = 'being_resolved', reason_since = now(), on_hold = false, hold_all = NULL
               -- An operation on hold can be resolved only if it is ready, i.e. admitted in all its lanes.
               FROM (SELECT id, COALESCE(reason_code, 'on_hold') AS reason_code FROM operation
                      WHERE id = $1 AND (state = 'parked' OR (state = 'ready' AND on_hold))
                        FOR NO KEY UPDATE) was
              WHERE o.id = was.id
          RETURNING was.reason_code AS \"reason_code!\"",
            id.0,
            resolution.as_str(),
            nothing_waits,
        )
        .fetch_optional(&mut *transaction)
        .or_fail_to(ACTION)
        .await?
        .ok_or(Unfit::NotParked)?;
        let outcome = resolution.as_str();
        let detail = if nothing_waits {
            json!({ "outcome": outcome, "nothing_waits": true, "note": note, "reason_code": parked.reason_code })
        } else {
            json!({ "outcome": outcome, "note": note, "reason_code": parked.reason_code })
        };
        operator
            .record(&mut transaction, Action::Resolve, (id, before), detail)
            .await?;
        transaction.commit().or_fail_to(ACTION).await?;
        self.notifier.notify_work();
        Ok(())
    }
}
