//! The names by which an operation is known.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::OperationType;

/// An operation's primary key: a UUID of version 7, made by the gateway that accepts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub Uuid);

impl OperationId {
    /// Makes a new id.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl Default for OperationId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a caller polls with: `OPERATION_TYPE|<uuid>` (document 000).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrackingId {
    /// The type that stands in front of the bar.
    pub operation_type: OperationType,
    /// The operation's id behind it.
    pub id: OperationId,
}

impl fmt::Display for TrackingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{}", self.operation_type, self.id)
    }
}

impl Serialize for TrackingId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text that is no tracking id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tracking id reads OPERATION_TYPE|<uuid>")]
pub struct InvalidTrackingId;

impl FromStr for TrackingId {
    type Err = InvalidTrackingId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, id) = text.split_once('|').ok_or(InvalidTrackingId)?;
        Ok(Self {
            operation_type: OperationType::from_name(name).ok_or(InvalidTrackingId)?,
            id: Uuid::try_parse(id)
                .map(OperationId)
                .or(Err(InvalidTrackingId))?,
        })
    }
}
