//! Events: what happened to operations and batches, in one order that all gateways and readers share.
//!
//! A trigger of the database writes an event in the transaction that makes it true (`migrations/0003_events.sql`). The
//! `sequencer` numbers what is committed, the `tail` tells the readers of this process what is new, and the `keeper` counts
//! and deletes (`docs/adr/0035-a-sequencer-numbers-events.md`). This file reads numbered events.

mod event;
mod keeper;
mod minutes;
mod readers;
mod sequencer;
mod tail;

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub(super) use self::readers::Readers;
pub use self::{
    event::{Event, EventOperation, EventType},
    minutes::Minute,
    readers::{NewEvents, Reader},
};
use super::{Store, StoreError, TrackingName, patience::WithTimeout};
use crate::domain::{OperationId, OperationType, Owner, TrackingId};

const ACTION: &str = "read events";

/// Some of the events after a cursor, in the order of their numbers.
#[derive(Clone, Debug)]
pub struct EventPage {
    /// The events.
    pub events: Vec<Event>,
    /// The cursor after which reading goes on.
    pub next: i64,
    /// Whether there are more events already.
    pub has_more: bool,
}

/// What a cursor leads to.
#[derive(Clone, Debug)]
pub enum Events {
    /// Events after the cursor.
    Page(EventPage),
    /// Events after the cursor have been deleted because of their age. The oldest events follow this cursor.
    Deleted {
        /// The cursor before the oldest events.
        oldest: i64,
    },
}

/// A row that may have an event.
pub(super) struct Row {
    pub(super) last: i64,
    pub(super) deleted: i64,
    pub(super) number: Option<i64>,
    pub(super) r#type: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) at: Option<DateTime<Utc>>,
    pub(super) operation_id: Option<Uuid>,
    pub(super) operation_type: Option<String>,
    pub(super) lane: Option<String>,
    pub(super) batch_id: Option<Uuid>,
    pub(super) reference_id: Option<String>,
}

impl Row {
    /// The event; `None` if there is none after the cursor.
    pub(super) fn into_event(self) -> Result<Option<Event>, StoreError> {
        let (Some(number), Some(name), Some(at)) = (self.number, self.r#type, self.at) else {
            return Ok(None);
        };
        let operation = self.operation_id.map(|id| {
            let type_name = self.operation_type.unwrap_or_default();
            EventOperation {
                name: TrackingName::new(&type_name, id),
                tracking_id: OperationType::from_name(&type_name).map(|operation_type| {
                    TrackingId {
                        operation_type,
                        id: OperationId(id),
                    }
                }),
                lane: self.lane.unwrap_or_default(),
            }
        });
        Ok(Some(Event {
            number,
            event_type: EventType::from_name(&name)
                .ok_or(StoreError::Unknown { what: "event type" })?,
            at,
            owner: self.owner.unwrap_or_default(),
            operation,
            batch_id: self.batch_id,
            batch_reference: self.reference_id,
        }))
    }
}

/// Makes the answer of one snapshot: at most `limit` rows, or one row without an event.
fn page(rows: Vec<Row>, after: Option<i64>, limit: i64) -> Result<Events, StoreError> {
    // The row of the sequence is missing only until the first event after somebody has emptied all tables.
    let (last, deleted) = rows.first().map_or((0, 0), |row| (row.last, row.deleted));
    if after.is_some_and(|after| after < deleted) {
        return Ok(Events::Deleted { oldest: deleted });
    }
    let events: Vec<Event> = rows
        .into_iter()
        .filter_map(|row| row.into_event().transpose())
        .collect::<Result<_, _>>()?;
    let has_more = i64::try_from(events.len()).is_ok_and(|count| count == limit);
    let next = match events.last() {
        Some(event) if has_more => event.number,
        // So the cursor of a caller to whom nothing happens does not become too old.
        _ => last.max(after.unwrap_or_default()),
    };
    Ok(Events::Page(EventPage {
        events,
        next,
        has_more,
    }))
}

impl Store {
    /// Runs the tasks of events: numbers them, tells the readers of this process, counts minutes, and deletes events that
    /// are older than `keep`. Never returns.
    pub async fn run_events(self, keep: Duration) {
        tokio::join!(
            self.number_events(),
            self.follow_events(),
            self.keep_events(keep)
        );
    }

    /// The cursor after the newest event.
    pub async fn last_event(&self) -> Result<i64, StoreError> {
        let last = sqlx::query_scalar!("SELECT last FROM event_sequence")
            .fetch_optional(&self.pool)
            .or_fail_to(ACTION)
            .await?;
        Ok(last.unwrap_or_default())
    }

    /// Reads events of this owner after the cursor; without a cursor, from the oldest on.
    pub async fn events_of(
        &self,
        owner: &Owner,
        after: Option<i64>,
        limit: i64,
    ) -> Result<Events, StoreError> {
        let rows = sqlx::query_as!(
            Row,
            r#"WITH page AS (SELECT * FROM event WHERE owner = $1 AND number > $2 ORDER BY number LIMIT $3)
               SELECT s.last, s.deleted, e.number AS "number?", e.type AS "type?", e.owner AS "owner?", e.at AS "at?",
                      e.operation_id, COALESCE(o.type, past.type) AS operation_type,
                      COALESCE(o.lane, past.lane) AS lane, e.batch_id,
                      b.reference_id AS "reference_id?"
                 FROM event_sequence s
                 LEFT JOIN page e ON true
                 LEFT JOIN operation o ON o.id = e.operation_id
                 LEFT JOIN past_names(ARRAY(SELECT operation_id FROM page)) past ON past.id = e.operation_id
                 LEFT JOIN batch b ON b.id = e.batch_id
                ORDER BY e.number"#,
            owner.to_string(),
            after.unwrap_or_default(),
            limit
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        page(rows, after, limit)
    }

    /// Reads events of all owners after the cursor.
    pub async fn events_of_all(&self, after: i64, limit: i64) -> Result<Events, StoreError> {
        let rows = sqlx::query_as!(
            Row,
            r#"WITH page AS (SELECT * FROM event WHERE number > $1 ORDER BY number LIMIT $2)
               SELECT s.last, s.deleted, e.number AS "number?", e.type AS "type?", e.owner AS "owner?", e.at AS "at?",
                      e.operation_id, COALESCE(o.type, past.type) AS operation_type,
                      COALESCE(o.lane, past.lane) AS lane, e.batch_id,
                      b.reference_id AS "reference_id?"
                 FROM event_sequence s
                 LEFT JOIN page e ON true
                 LEFT JOIN operation o ON o.id = e.operation_id
                 LEFT JOIN past_names(ARRAY(SELECT operation_id FROM page)) past ON past.id = e.operation_id
                 LEFT JOIN batch b ON b.id = e.batch_id
                ORDER BY e.number"#,
            after,
            limit
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        page(rows, Some(after), limit)
    }
}
