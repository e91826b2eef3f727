//! An event and its type.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::{
    domain::{State, TrackingId},
    store::names::TrackingName,
};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// An operation has succeeded.
    Succeeded,
    /// An operation has failed.
    Failed,
    /// An operation waits for a person.
    Parked,
    /// An operation that was parked continues.
    Resumed,
    /// Every row of a batch has succeeded.
    BatchCompleted,
    /// Every row of a batch has ended, and at least one has failed.
    BatchFailed,
}

impl EventType {
    /// All types.
    pub const ALL: [Self; 6] = [
        Self::Succeeded,
        Self::Failed,
        Self::Parked,
        Self::Resumed,
        Self::BatchCompleted,
        Self::BatchFailed,
    ];

    /// The name that readers see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "operation.succeeded",
            Self::Failed => "operation.failed",
            Self::Parked => "operation.parked",
            Self::Resumed => "operation.resumed",
            Self::BatchCompleted => "batch.completed",
            Self::BatchFailed => "batch.failed",
        }
    }

    /// The state of the operation after the event; `None` for a batch.
    pub const fn state(self) -> Option<State> {
        match self {
            Self::Succeeded => Some(State::Succeeded),
            Self::Failed => Some(State::Failed),
            Self::Parked => Some(State::Parked),
            Self::Resumed => Some(State::Ready),
            Self::BatchCompleted | Self::BatchFailed => None,
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

impl JsonSchema for EventType {
    fn schema_name() -> Cow<'static, str> {
        "EventType".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": Self::ALL.map(Self::as_str) })
    }
}

impl Serialize for EventType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A numbered event. It contains ids only.
#[derive(Clone, Debug)]
pub struct Event {
    /// The number, which is also the cursor: microseconds since 1970. A number is visible only after every smaller one.
    pub number: i64,
    /// What happened.
    pub event_type: EventType,
    /// When the transaction began that made it true.
    pub at: DateTime<Utc>,
    /// The owner, as [`Owner`](crate::domain::Owner) is displayed.
    pub owner: String,
    /// The operation; `None` if the event is about a batch.
    pub operation: Option<EventOperation>,
    /// The batch, or the batch of the operation.
    pub batch_id: Option<Uuid>,
    /// The client's own name for the batch.
    pub batch_reference: Option<String>,
}

/// The operation of an event.
#[derive(Clone, Debug)]
pub struct EventOperation {
    /// The tracking id as text.
    pub name: TrackingName,
    /// The tracking id; `None` if this gateway does not know the type.
    pub tracking_id: Option<TrackingId>,
    /// The lane that the operation writes.
    pub lane: String,
}
