//! Ending an operation that was never sent.

use serde_json::json;
use sqlx::PgConnection;

use super::{ActionError, Found, Operator, Unfit, audit::Action, read_state};
use crate::{
    domain::State,
    store::{
        End, Store, failed_to,
        lanes::{self, Departed},
        settle,
    },
};

const ACTION: &str = "cancel an operation";
/// Why a cancelled operation failed, for operators.
const CODE: &str = "cancelled";
/// The same for its caller.
const MESSAGE: &str = "Cancelled before it was sent";

impl Store {
    /// Ends an operation of which nothing was ever sent; those that rest on it fall with it.
    pub async fn cancel(&self, found: &Found, operator: &Operator) -> Result<(), ActionError> {
        let mut transaction = self.pool.begin().await.map_err(failed_to(ACTION))?;
        lanes::lock(&mut transaction, &found.places.lanes())
            .await
            .map_err(failed_to(ACTION))?;
        let state = lock_unsent(&mut transaction, found).await?;
        let fells = (self.fells)(found.tracking_id.operation_type);
        let departed = end(&mut transaction, found, fells)
            .await
            .map_err(failed_to(ACTION))?;
        let detail = json!({ "state": state.as_str() });
        operator
            .leaves(
                &mut transaction,
                Action::Cancel,
                found.tracking_id.id,
                detail,
            )
            .await?;
        transaction.commit().await.map_err(failed_to(ACTION))?;
        self.ends.announce_ended([found.tracking_id.id]);
        if departed.work {
            self.ends.announce_work();
        }
        if departed.falls {
            self.ends.announce_fall();
        }
        Ok(())
    }
}

/// Locks the operation's row, so that nobody claims it, and makes sure that nothing was sent.
async fn lock_unsent(connection: &mut PgConnection, found: &Found) -> Result<State, ActionError> {
    let id = found.tracking_id.id.0;
    let state = sqlx::query_scalar!(
        "SELECT state FROM operation WHERE id = $1 FOR NO KEY UPDATE",
        id
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(failed_to(ACTION))?;
    let state = read_state(&state)?;
    match state {
        State::Running => return Err(Unfit::Running.into()),
        State::Succeeded | State::Failed => return Err(Unfit::Ended.into()),
        State::Waiting | State::Ready | State::Parked => {}
    }
    // A statement of its own: that of the lock sees the attempts as they were before it was granted.
    let was_sent = sqlx::query_scalar!(
        "SELECT EXISTS (SELECT FROM attempt WHERE operation_id = $1) AS \"was_sent!\"",
        id
    )
    .fetch_one(connection)
    .await
    .map_err(failed_to(ACTION))?;
    if was_sent {
        return Err(Unfit::Sent.into());
    }
    Ok(state)
}

async fn end(
    connection: &mut PgConnection,
    found: &Found,
    fells: bool,
) -> Result<Departed, sqlx::Error> {
    let id = found.tracking_id.id;
    sqlx::query!(
        "UPDATE operation
            SET state = 'failed', due_at = NULL, why = NULL, why_since = NULL, resolution = NULL,
                ended_at = now()
          WHERE id = $1",
        id.0
    )
    .execute(&mut *connection)
    .await?;
    let cancelled = End::Failed {
        body: None,
        message: MESSAGE.to_owned(),
        code: CODE.to_owned(),
        fells,
    };
    settle::end(connection, &[(id, &found.places, &cancelled)]).await
}
