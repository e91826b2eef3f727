//! Reading one operation, as its caller sees it.

use chrono::{DateTime, Utc};

use super::{Store, StoreError, connect, failed_to, names};
use crate::domain::{OperationType, State, TrackingId};

/// An operation as its caller sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// Where it stands.
    pub state: State,
    /// Fineract's success body, as it came; only when it succeeded.
    pub success: Option<String>,
    /// Fineract's failure body, as it came; only when Fineract refused it.
    pub failure: Option<String>,
    /// The sentence that says why it failed.
    pub message: Option<String>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Reads an operation; `None` when there is none of that id and type.
    ///
    /// Reading a failure, or what fell with it, is noted on the lane: operations accepted later are by
    /// someone who knows of it, and do not fall with it.
    pub async fn track(&self, tracking_id: TrackingId) -> Result<Option<Tracked>, StoreError> {
        let row = connect::past_broken(&self.pool, || {
            sqlx::query!(
                "SELECT o.type, o.state, o.ended_at, r.success, r.failure, r.message,
                        r.marked AS \"marked?\"
                   FROM operation o
                   LEFT JOIN result r ON r.operation_id = o.id
                  WHERE o.id = $1",
                tracking_id.id.0
            )
            .fetch_optional(&self.pool)
        })
        .await
        .map_err(failed_to("read an operation"))?;
        let Some(row) = row else { return Ok(None) };
        if OperationType::from_name(&row.r#type) != Some(tracking_id.operation_type) {
            return Ok(None);
        }
        if row.marked == Some(true) {
            self.note_failures_read(&[tracking_id.id.0]).await?;
        }
        Ok(Some(Tracked {
            state: names::state(&row.state)?,
            success: row.success,
            failure: row.failure,
            message: row.message,
            ended_at: row.ended_at,
        }))
    }
}
