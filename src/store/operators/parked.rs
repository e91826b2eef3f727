//! Lists parked operations, about which a person has to decide.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::store::{Store, StoreError, TrackingName, patience::WithTimeout};

/// A parked operation, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParkedOperation {
    /// The tracking id.
    pub tracking_id: TrackingName,
    /// The reason code.
    pub reason_code: String,
    /// When the operation was parked.
    pub reason_since: DateTime<Utc>,
    /// When the gateway accepted the operation.
    pub accepted_at: DateTime<Utc>,
    /// The lane that the operation writes. Later operations of this lane wait for the operation.
    pub lane: String,
    /// The name of the caller's token.
    pub caller: String,
}

/// The end of a page of a list: the id of the last operation of the page, and the time when this operation was parked
/// or accepted. A cursor is written as the time in microseconds since 1970, an underscore, and the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListCursor {
    pub(in crate::store) since: DateTime<Utc>,
    pub(in crate::store) id: Uuid,
}

impl fmt::Display for ListCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.since.timestamp_micros(), self.id)
    }
}

impl Serialize for ListCursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text that is not a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list")]
pub struct InvalidCursor;

impl FromStr for ListCursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (micros, id) = text.split_once('_').ok_or(InvalidCursor)?;
        // A negative time is refused, because times before 1970 may be outside the range of Postgres.
        let micros: u64 = micros.parse().or(Err(InvalidCursor))?;
        let micros = i64::try_from(micros).or(Err(InvalidCursor))?;
        Ok(Self {
            since: DateTime::from_timestamp_micros(micros).ok_or(InvalidCursor)?,
            id: Uuid::try_parse(id).or(Err(InvalidCursor))?,
        })
    }
}

impl Store {
    /// Lists the parked operations, starting with the operation that has been parked for the longest time. If a cursor
    /// is given, the list begins after it. The second value is the cursor for the next page, if there is a next page.
    pub async fn parked(
        &self,
        limit: u16,
        after: Option<ListCursor>,
    ) -> Result<(Vec<ParkedOperation>, Option<ListCursor>), StoreError> {
        let rows = sqlx::query!(
            "SELECT o.id, o.type, o.reason_code AS \"reason_code!\", o.reason_since AS \"reason_since!\", o.accepted_at,
                    o.lane, p.caller
               FROM operation o
               JOIN payload p ON p.operation_id = o.id
              WHERE o.state = 'parked'
                AND (o.reason_since, o.id) > (COALESCE($1, '-infinity'::timestamptz),
                                           COALESCE($2, '00000000-0000-0000-0000-000000000000'::uuid))
              ORDER BY o.reason_since, o.id
              LIMIT $3",
            after.map(|cursor| cursor.since),
            after.map(|cursor| cursor.id),
            i64::from(limit) + 1
        )
        .fetch_all(&self.pool)
        .or_fail_to("list parked operations")
        .await?;
        let limit = usize::from(limit);
        let next = (rows.len() > limit)
            .then(|| rows.iter().take(limit).next_back())
            .flatten()
            .map(|last| ListCursor {
                since: last.reason_since,
                id: last.id,
            });
        let page = rows
            .into_iter()
            .take(limit)
            .map(|row| ParkedOperation {
                tracking_id: TrackingName::new(&row.r#type, row.id),
                reason_code: row.reason_code,
                reason_since: row.reason_since,
                accepted_at: row.accepted_at,
                lane: row.lane,
                caller: row.caller,
            })
            .collect();
        Ok((page, next))
    }
}
