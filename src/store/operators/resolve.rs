//! A person says how a parked operation ended: a worker asks Fineract, and ends it when that agrees.

use serde_json::json;

use super::{ActionError, Found, Operator, Unfit, audit::Action};
use crate::{
    domain::Resolution,
    store::{Asking, Store, connect},
};

impl Store {
    /// Has a worker look whether an operation that is parked, or on hold, ended as an operator says: nothing is sent
    /// for it. With the resolution comes whether the operator has seen that no command of it waits for a checker.
    /// The note is kept in the audit.
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
        let parked = sqlx::query!(
            "UPDATE operation o
                SET state = 'ready', due_at = now(), resolution = $2, nothing_waits = $3, lost = 0, deaths = 0,
                    why = 'being_resolved', why_since = now(), held = false, hold_all = NULL
               -- What is on hold is not sent, and need not be first.
               FROM (SELECT id, COALESCE(why, 'on_hold') AS why FROM operation
                      WHERE id = $1 AND (state = 'parked' OR (state = 'ready' AND held))
                        FOR NO KEY UPDATE) was
              WHERE o.id = was.id
          RETURNING was.why AS \"why!\"",
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
            json!({ "outcome": outcome, "nothing_waits": true, "note": note, "why": parked.why })
        } else {
            json!({ "outcome": outcome, "note": note, "why": parked.why })
        };
        operator
            .leaves(&mut transaction, Action::Resolve, id, detail)
            .await?;
        transaction.commit().or_fail_to(ACTION).await?;
        self.ends.announce_work();
        Ok(())
    }
}
