//! What the names in the tables stand for.

use super::StoreError;
use crate::domain::{OperationType, State};

/// The type of this name.
pub(super) fn operation_type(name: &str) -> Result<OperationType, StoreError> {
    OperationType::from_name(name).ok_or(StoreError::Unknown { what: "type" })
}

/// The state of this name.
pub(super) fn state(name: &str) -> Result<State, StoreError> {
    State::from_name(name).ok_or(StoreError::Unknown { what: "state" })
}
