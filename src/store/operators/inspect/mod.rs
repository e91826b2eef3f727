//! Inspects an operation: shows operators everything that the gateway knows of it. An operator who inspects a failed
//! operation knows of the failure, so the reading is recorded on the operation's lanes.

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
    store::{Store, StoreError, TrackingName, connect, patience::WithTimeout},
};

/// An operation with everything that the gateway knows of it.
#[derive(Debug, Serialize)]
pub struct Inspected {
    #[serde(flatten)]
    operation: InspectedOperation,
    /// The operation that runs this operation again, if there is one.
    retried_by: Option<TrackingName>,
    /// The operations ahead of this operation, at most ten in each lane; empty when this operation is admitted.
    waits_for: Vec<Ahead>,
    /// Every attempt, in the order of their numbers.
    attempts: Vec<InspectedAttempt>,
    /// The operators' actions on this operation, the oldest action first.
    audit: Vec<AuditEntry>,
}

impl Inspected {
    /// The tracking id.
    pub fn tracking_id(&self) -> &TrackingName {
        &self.operation.tracking_id
    }
}

impl Store {
    /// Reads an operation in one snapshot. Returns `None` if no operation has this id.
    pub async fn inspect(&self, id: OperationId) -> Result<Option<Inspected>, StoreError> {
        const ACTION: &str = "inspect an operation";
        let mut transaction = connect::begin_snapshot(&self.pool)
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
        if inspected.operation.has_ended() {
            self.record_failures_read(&[id.0]).await?;
        }
        Ok(Some(inspected))
    }
}
