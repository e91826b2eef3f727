//! Inspects an operation: shows operators everything that the gateway knows of it.

mod around;
mod attempts;
mod history;
mod operation;

use schemars::JsonSchema;
use serde::Serialize;

pub use self::{attempts::InspectedAttempt, history::AuditEntry};

use self::{
    around::{InspectedBatch, read_batch, read_retries},
    attempts::read_attempts,
    history::{Ahead, read_ahead, read_audit},
    operation::{InspectedOperation, read_operation},
};
use super::{
    possible::{Circumstances, PossibleAction, possible_actions},
    retry::read_retry,
    seen::read_seen,
};
use crate::{
    domain::OperationId,
    store::{Listed, Store, StoreError, TrackingName, connect, patience::WithTimeout},
};

/// An operation with everything that the gateway knows of it.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Inspected {
    /// The operation, its payload and its result.
    #[serde(flatten)]
    pub operation: InspectedOperation,
    /// The operation that runs this operation again, if there is one.
    pub retried_by: Option<TrackingName>,
    /// The operations that are the same operation run again, the first one first, including this one.
    pub retries: Vec<TrackingName>,
    /// The batch that the operation belongs to, if any.
    pub batch: Option<InspectedBatch>,
    /// The operations ahead of this operation, at most ten in each lane; empty when this operation is admitted.
    pub waits_for: Vec<Ahead>,
    /// Every attempt, in the order of their numbers.
    pub attempts: Vec<InspectedAttempt>,
    /// The operators' actions on this operation, the oldest action first.
    pub audit: Vec<AuditEntry>,
    /// The operations next to this one in the lane that it writes, at most five on each side.
    pub neighbours: Vec<Listed>,
    /// What an operator may do now.
    pub actions: Vec<PossibleAction>,
    /// What an action compares if it is only for the operation as it is shown here (`Operator::seen`).
    #[serde(skip)]
    pub seen: String,
}

impl Inspected {
    /// The tracking id.
    pub fn tracking_id(&self) -> &TrackingName {
        &self.operation.tracking_id
    }

    /// The same without personal data: in the payload, the commands and the answers, only keys, ids, dates, codes and
    /// terms are left.
    #[must_use]
    pub fn without_personal_data(mut self) -> Self {
        self.operation.mask();
        self.attempts.iter_mut().for_each(InspectedAttempt::mask);
        self
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
        let seen = read_seen(&mut transaction, id, None).await?;
        let retried_by = read_retry(&mut transaction, id).await?;
        let attempts = read_attempts(&mut transaction, id).await?;
        let actions = possible_actions(
            (operation.state.as_str(), operation.on_hold),
            &Circumstances {
                retried_by: retried_by.as_ref(),
                was_sent: attempts.iter().any(InspectedAttempt::was_sent),
                is_past_expiry: operation.is_past_expiry,
                is_erased: operation.erased_at.is_some(),
            },
        );
        let mut inspected = Inspected {
            operation,
            retried_by,
            retries: read_retries(&mut transaction, id).await?,
            batch: read_batch(&mut transaction, id).await?,
            waits_for: read_ahead(&mut transaction, id).await?,
            attempts,
            audit: read_audit(&mut transaction, id).await?,
            neighbours: Vec::new(),
            actions,
            seen: seen.unwrap_or_default(),
        };
        transaction.commit().or_fail_to(ACTION).await?;
        // After the transaction, so that no request needs two connections at once.
        inspected.neighbours = self.neighbours(id).await?;
        Ok(Some(inspected))
    }
}
