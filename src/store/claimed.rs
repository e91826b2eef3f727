//! What a claim brings.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::types::{Json, Uuid};

use super::{StoreError, names};
use crate::domain::{OperationId, OperationType, Resolution, TrackingId};

/// An operation that this worker holds until its lease runs out.
#[derive(Debug)]
pub struct Claimed {
    /// Its id.
    pub id: OperationId,
    /// Its type.
    pub operation_type: OperationType,
    /// Its payload, as it was accepted.
    pub payload: Box<RawValue>,
    /// The number of this attempt: the fence.
    pub attempt: i32,
    /// `k` of its Idempotency-Key.
    pub key_number: i32,
    /// Claims that ended with their process after an attempt was committed.
    pub lost: i16,
    /// Claims that ended with their process, or in a panic, before any attempt was committed.
    pub deaths: i16,
    /// Where it stands.
    pub lane_entries: LaneEntries,
    /// Its lender, when its type is run one at a time for each inside Fineract.
    pub lender: Option<String>,
    /// Its reference (UTR).
    pub reference: Option<String>,
    /// Fineract's numeric id of what it changes, as answered to our own create.
    pub known_id: Option<i64>,
    /// The same of what it only reads.
    pub read_known_id: Option<i64>,
    /// The epoch of Fineract's books when it was claimed.
    pub epoch: i32,
    /// How an operator says that it ended: nothing is sent any more.
    pub resolution: Option<Resolution>,
    /// Whether that operator has seen that no command of it waits for a checker.
    pub nothing_waits: bool,
    /// Why it is troubled, if it is: a stable code.
    pub reason_code: Option<String>,
    /// Whether the time until which it may be sent has passed, by the database's clock.
    pub is_past_expiry: bool,
    /// Where more may have happened to it than is known here, so that it does not end as unsent until Fineract has been
    /// read: how long ago everything was put on hold. What this database has forgotten happened before.
    pub forgotten_for: Option<Duration>,
    /// Since when it is troubled, if it is.
    pub reason_since: Option<DateTime<Utc>>,
    /// How long it had been troubled when it was claimed, by the database's clock; without the time that
    /// it was due and nobody could take it.
    pub retrying_for: Duration,
    /// Whether that time counts towards being parked.
    pub reason_counts: bool,
    /// How long ago it had been accepted when it was claimed, by the database's clock.
    pub age: Duration,
    /// When the claim was asked for, by the monotonic clock: the lease is at least this old.
    pub claimed_at: Instant,
}

impl Claimed {
    /// The name by which callers know it.
    pub fn tracking_id(&self) -> TrackingId {
        TrackingId {
            operation_type: self.operation_type,
            id: self.id,
        }
    }

    /// The lanes it stands in whose number Fineract has told us, each with it.
    pub fn known_numbers(&self) -> impl Iterator<Item = (&str, i64)> {
        let read = self
            .lane_entries
            .read
            .as_ref()
            .map(|(lane, _)| lane.as_str());
        let own = self
            .known_id
            .map(|number| (self.lane_entries.lane.as_str(), number));
        own.into_iter().chain(read.zip(self.read_known_id))
    }

    /// How long it has been tried in vain, as far as that counts towards being parked: an outage that has
    /// just ended is no trouble of its own.
    pub fn parkable_for(&self) -> Duration {
        if self.reason_counts {
            self.retrying_for
        } else {
            Duration::ZERO
        }
    }
}

/// Where an operation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneEntries {
    /// The lane it writes.
    pub lane: String,
    /// Its position there.
    pub position: i64,
    /// The lane it reads, and its position there.
    pub read: Option<(String, i64)>,
}

impl LaneEntries {
    /// The lanes it stands in.
    pub(super) fn lanes(&self) -> Vec<String> {
        let read = self.read.as_ref().map(|(lane, _)| lane.clone());
        std::iter::once(self.lane.clone()).chain(read).collect()
    }
}

/// Reads a resolution's word; an unknown one must not pass for none, or the operation would be sent.
pub(super) fn read_resolution(word: Option<&str>) -> Result<Option<Resolution>, StoreError> {
    let unknown = StoreError::Unknown { what: "resolution" };
    word.map(|word| Resolution::from_name(word).ok_or(unknown))
        .transpose()
}

/// A claimed operation as the columns have it.
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) r#type: String,
    pub(super) attempt: i32,
    pub(super) key_number: i32,
    pub(super) lost: i16,
    pub(super) deaths: i16,
    pub(super) reason_counts: bool,
    pub(super) lane: String,
    pub(super) position: i64,
    pub(super) read_lane: Option<String>,
    pub(super) read_position: Option<i64>,
    pub(super) lender: Option<String>,
    pub(super) was_due_at: DateTime<Utc>,
    pub(super) resolution: Option<String>,
    pub(super) nothing_waits: bool,
    pub(super) reason_code: Option<String>,
    pub(super) reason_since: Option<DateTime<Utc>>,
    pub(super) is_past_expiry: bool,
    pub(super) forgotten_seconds: Option<f64>,
    pub(super) age_seconds: Option<f64>,
    pub(super) troubled_seconds: Option<f64>,
    pub(super) data: Json<Box<RawValue>>,
    pub(super) reference: Option<String>,
    pub(super) known_id: Option<i64>,
    pub(super) read_known_id: Option<i64>,
    pub(super) epoch: i32,
}

impl Row {
    /// The operation, whose claim was asked for at `claimed_at`.
    pub(super) fn claimed(self, claimed_at: Instant) -> Result<Claimed, StoreError> {
        Ok(Claimed {
            id: OperationId(self.id),
            operation_type: names::operation_type(&self.r#type)?,
            payload: self.data.0,
            attempt: self.attempt,
            key_number: self.key_number,
            lost: self.lost,
            deaths: self.deaths,
            reason_counts: self.reason_counts,
            lane_entries: LaneEntries {
                lane: self.lane,
                position: self.position,
                read: self.read_lane.zip(self.read_position),
            },
            lender: self.lender,
            reference: self.reference,
            known_id: self.known_id,
            read_known_id: self.read_known_id,
            epoch: self.epoch,
            resolution: read_resolution(self.resolution.as_deref())?,
            nothing_waits: self.nothing_waits,
            reason_code: self.reason_code,
            is_past_expiry: self.is_past_expiry,
            forgotten_for: self.forgotten_seconds.map(|time| seconds(Some(time))),
            reason_since: self.reason_since,
            retrying_for: seconds(self.troubled_seconds),
            age: seconds(self.age_seconds),
            claimed_at,
        })
    }
}

fn seconds(seconds: Option<f64>) -> Duration {
    Duration::try_from_secs_f64(seconds.unwrap_or_default()).unwrap_or_default()
}
