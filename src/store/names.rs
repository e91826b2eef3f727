//! What the names in the tables stand for.

use std::fmt;

use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::StoreError;
use crate::domain::{OperationType, State};

/// A tracking id as it is shown, of whatever type. A row may have one that this gateway does not know: a newer one accepted it,
/// and still runs beside this one, or did before it was rolled back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackingName(String);

impl TrackingName {
    pub(super) fn new(operation_type: &str, id: Uuid) -> Self {
        Self(format!("{operation_type}|{id}"))
    }
}

impl fmt::Display for TrackingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for TrackingName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// The type of this name.
pub(super) fn operation_type(name: &str) -> Result<OperationType, StoreError> {
    OperationType::from_name(name).ok_or(StoreError::Unknown { what: "type" })
}

/// The state of this name.
pub(super) fn state(name: &str) -> Result<State, StoreError> {
    State::from_name(name).ok_or(StoreError::Unknown { what: "state" })
}
