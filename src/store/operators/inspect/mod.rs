//! One operation with all that is known of it, as operators are shown it. Whoever is shown a failure knows
//! of it, so that is noted on its lanes.

mod attempts;
mod history;
mod operation;

use serde::Serialize;

use self::{
    attempts::{InspectedAttempt, read_attempts},
    history::{Ahead, AuditEntry, read_ahead, read_audit},
    operation::{InspectedOperation, read_operation},
};
use super::retry::read_retry;
use crate::{
    domain::OperationId,
    store::{Asking, Store, StoreError, TrackingName, connect},
};

/// An operation with all that is known of it.
#[derive(Debug, Serialize)]
pub struct Inspected {
    #[serde(flatten)]
    operation: InspectedOperation,
    /// The operation that runs it again.
    retried_by: Option<TrackingName>,
    /// Those before it in its lanes, at most ten of each; empty once it has its turn.
    waits_for: Vec<Ahead>,
    /// Every attempt, the first one first.
    attempts: Vec<InspectedAttempt>,
    /// What operators did with it, the first first.
    audit: Vec<AuditEntry>,
}

impl Inspected {
    /// The name by which callers know it.
    pub fn tracking_id(&self) -> &TrackingName {
        &self.operation.tracking_id
    }
}

impl Store {
    /// Reads an operation as of one moment; `None` when there is none of that id.
    pub async fn inspect(&self, id: OperationId) -> Result<Option<Inspected>, StoreError> {
        const ACTION: &str = "inspect an operation";
        let mut transaction = connect::begin_one_moment(&self.pool)
            .or_fail_to(ACTION)
            .await?;
        let Some(operation) = read_operation(&mut transaction, id).await? else {
            return Ok(None);
        };
        let inspected = Inspected {
            operation,
            retried_by: read_retry(&mut transaction, id).await?,
            waits_for: read_ahead(&mut transaction, id).await?,
            attempts: read_attempts(&mut transaction, id).await?,
            audit: read_audit(&mut transaction, id).await?,
        };
        transaction.commit().or_fail_to(ACTION).await?;
        self.note_failures_read(&[id.0]).await?;
        Ok(Some(inspected))
    }
}
