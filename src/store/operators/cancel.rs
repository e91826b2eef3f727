//! Cancels an operation for which nothing was ever sent.

use serde_json::json;
use sqlx::PgConnection;

use super::{ActionError, Found, Operator, Unfit, audit::Action, seen};
use crate::{
    domain::State,
    store::{
        Store,
        cancel::{Reason, Unsent, end_unsent},
        connect, lanes, names,
        patience::WithTimeout,
    },
};

const ACTION: &str = "cancel an operation";

impl Store {
    /// Ends an operation for which nothing was ever sent. Its operation type decides whether its dependents fail.
    pub async fn cancel(&self, found: &Found, operator: &Operator) -> Result<(), ActionError> {
        let mut transaction = connect::begin(&self.pool).or_fail_to(ACTION).await?;
        lanes::lock(&mut transaction, &found.lane_entries.lanes())
            .or_fail_to(ACTION)
            .await?;
        let state = lock_idle(&mut transaction, found).await?;
        let before = seen::lock(&mut transaction, found.tracking_id.id, operator).await?;
        let candidate = Unsent {
            id: found.tracking_id.id,
            operation_type: Some(found.tracking_id.operation_type),
            lane_entries: found.lane_entries.clone(),
        };
        let ending = end_unsent(
            &mut transaction,
            vec![candidate],
            Reason::Cancelled,
            self.fails_dependents,
        );
        let (cancelled, effects) = ending.or_fail_to(ACTION).await?;
        if cancelled.is_empty() {
            return Err(Unfit::Sent.into());
        }
        let detail = json!({ "state": state.as_str() });
        operator
            .record(
                &mut transaction,
                Action::Cancel,
                (found.tracking_id.id, before),
                detail,
            )
            .await?;
        transaction.commit().or_fail_to(ACTION).await?;
        self.notify_unsent(&cancelled, effects);
        Ok(())
    }
}

/// Locks the operation's row, so that no worker can claim the operation. Then checks that no worker is running the
/// operation and that it has not ended.
async fn lock_idle(connection: &mut PgConnection, found: &Found) -> Result<State, ActionError> {
    let state = sqlx::query_scalar!(
        "SELECT state FROM operation WHERE id = $1 FOR NO KEY UPDATE",
        found.tracking_id.id.0
    )
    .fetch_optional(connection)
    .or_fail_to(ACTION)
    .await?
    // It was archived.
    .ok_or(Unfit::Ended)?;
    let state = names::state(&state)?;
    match state {
        State::Running => Err(Unfit::Running.into()),
        State::Succeeded | State::Failed => Err(Unfit::Ended.into()),
        State::Waiting | State::Ready | State::Parked => Ok(state),
    }
}
