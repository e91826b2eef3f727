//! The cursor of a list.

use std::{borrow::Cow, fmt, str::FromStr};

use chrono::{DateTime, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use uuid::Uuid;

/// The last operation of a page: its rank in the order of the list, and its id, which decides between equal ranks. A
/// cursor is written as the rank, an underscore, and the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListCursor {
    /// A time in microseconds since 1970, or the number of a row in a batch. Zero if the list is in the order of ids.
    pub(super) rank: i64,
    pub(super) id: Uuid,
}

impl ListCursor {
    pub(super) const fn by_id(id: Uuid) -> Self {
        Self { rank: 0, id }
    }

    pub(super) const fn by_time(at: DateTime<Utc>, id: Uuid) -> Self {
        let rank = at.timestamp_micros();
        Self { rank, id }
    }

    /// The rank as a time.
    pub(super) const fn time(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_micros(self.rank)
    }
}

impl fmt::Display for ListCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.rank, self.id)
    }
}

impl Serialize for ListCursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for ListCursor {
    fn schema_name() -> Cow<'static, str> {
        "ListCursor".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "Send it as `cursor`, unchanged." })
    }
}

/// A text that is not a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list")]
pub struct InvalidCursor;

impl FromStr for ListCursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rank, id) = text.split_once('_').ok_or(InvalidCursor)?;
        // A negative time is refused, because times before 1970 may be outside the range of Postgres.
        let rank: u64 = rank.parse().or(Err(InvalidCursor))?;
        let cursor = Self {
            rank: i64::try_from(rank).or(Err(InvalidCursor))?,
            id: Uuid::try_parse(id).or(Err(InvalidCursor))?,
        };
        cursor.time().ok_or(InvalidCursor)?;
        Ok(cursor)
    }
}
