//! Conversions between names in the tables and the types of `domain`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::StoreError;
use crate::domain::{OperationType, State, TraceParent, TrackingId};

/// A tracking id as text, also for an operation type that this gateway does not know. A newer gateway, which runs in
/// parallel or was rolled back, may have accepted an operation of such a type.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(inline)]
pub struct TrackingName(String);

impl TrackingName {
    pub(super) fn new(operation_type: &str, id: Uuid) -> Self {
        Self(format!("{operation_type}|{id}"))
    }
}

impl From<TrackingId> for TrackingName {
    fn from(tracking_id: TrackingId) -> Self {
        Self(tracking_id.to_string())
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

/// Parses the name of an operation type.
pub(super) fn operation_type(name: &str) -> Result<OperationType, StoreError> {
    OperationType::from_name(name).ok_or(StoreError::Unknown { what: "type" })
}

/// Parses a caller's place in its trace. A text that is none is ignored, because no operation may fail for it.
pub(super) fn trace_parent(text: Option<String>) -> Option<TraceParent> {
    text?.parse().ok()
}

/// Parses the name of a state.
pub(super) fn state(name: &str) -> Result<State, StoreError> {
    State::from_name(name).ok_or(StoreError::Unknown { what: "state" })
}
