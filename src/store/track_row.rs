//! What `track` needs to know of an operation.

use std::fmt;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::{OperationType, Owner};

/// The row of an operation, with its result. It contains personal data, so `Debug` shows only the id.
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) r#type: String,
    pub(super) state: String,
    pub(super) ended_at: Option<DateTime<Utc>>,
    pub(super) success: Option<String>,
    pub(super) failure: Option<String>,
    pub(super) message: Option<String>,
    pub(super) marked: Option<bool>,
    /// Who sent it (`payload.caller`). `None`: it was not read.
    pub(super) caller: Option<String>,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Row {
    /// Whether the operation has this type.
    pub(super) fn is_of(&self, operation_type: OperationType) -> bool {
        OperationType::from_name(&self.r#type) == Some(operation_type)
    }

    /// Whether it is known to be of this owner.
    pub(super) fn is_owned_by(&self, owner: &Owner) -> bool {
        let caller = self.caller.as_deref();
        caller.is_some_and(|caller| owner.has_sent(caller))
    }
}
