//! The limits of a claim, and the claimed operations that it returns.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::types::{Json, Uuid};

use super::{StoreError, lanes::LaneEntries, names};
use crate::domain::{OperationId, OperationType, Resolution, TraceParent, TrackingId};

/// The limits that a worker gives when it claims operations.
#[derive(Clone, Debug)]
pub struct ClaimLimits {
    /// The largest number of operations to claim.
    pub count: i64,
    /// The duration of the lease.
    pub lease: Duration,
    /// The operation types to claim: the types that this gateway knows, without the blocked types.
    pub types: Vec<String>,
    /// How many operations of each lender this worker has leased already.
    pub leased_by_lender: HashMap<String, i64>,
    /// How many operations of one lender this worker may have leased at a time.
    pub per_lender: i64,
    /// The lenders for which to claim: the lenders that this gateway knows. Operations for other lenders wait for a
    /// gateway that knows these lenders.
    pub lenders: Vec<String>,
}

impl ClaimLimits {
    /// The largest number of operations to claim for this lender. `None` stands for the operations without a lender.
    pub(super) fn count_of(&self, lender: Option<&str>) -> i64 {
        let leased = |lender| {
            self.leased_by_lender
                .get(lender)
                .copied()
                .unwrap_or_default()
        };
        lender.map_or(self.count, |lender| {
            self.count.min((self.per_lender - leased(lender)).max(0))
        })
    }
}

/// An operation that this worker has leased.
#[derive(Debug)]
pub struct Claimed {
    /// The operation's id.
    pub id: OperationId,
    /// The operation type.
    pub operation_type: OperationType,
    /// The payload, as the gateway accepted it.
    pub payload: Box<RawValue>,
    /// The attempt number, which is the fence of the claim.
    pub attempt: i32,
    /// The key number: the `k` of the idempotency key `<uuid>-<k>`.
    pub key_number: i32,
    /// How many claims ended with their process after an attempt was committed.
    pub lost: i16,
    /// How many claims ended with their process, or in a panic, before an attempt was committed.
    pub deaths: i16,
    /// The operation's lane entries.
    pub lane_entries: LaneEntries,
    /// The lender, if Fineract itself runs operations of this type one at a time for each lender.
    pub lender: Option<String>,
    /// The reference (UTR) of a payment.
    pub reference: Option<String>,
    /// The number of the client or loan that the operation changes, from Fineract's answer to the gateway's create;
    /// `None` if the number is not known in the current epoch.
    pub known_id: Option<i64>,
    /// The number of the client whose lane the operation only reads; `None` if the number is not known in the current
    /// epoch.
    pub read_known_id: Option<i64>,
    /// The epoch of Fineract's books when the operation was claimed.
    pub epoch: i32,
    /// How the operation ended according to an operator. If there is a resolution, the gateway sends no command for the
    /// operation any more.
    pub resolution: Option<Resolution>,
    /// Whether the operator has confirmed, together with the resolution, that no command of the operation waits for a
    /// checker.
    pub nothing_waits: bool,
    /// The reason code, if the operation is blocked or retried.
    pub reason_code: Option<String>,
    /// Whether `expires_at` has passed, by the database's clock.
    pub is_past_expiry: bool,
    /// How long ago everything was put on hold; `None` if the operation did not exist then (`read_first` is false). A
    /// restored database may have forgotten what happened before the hold. So the worker must read Fineract before the
    /// operation may end as not sent.
    pub forgotten_for: Option<Duration>,
    /// When the reason code began to apply.
    pub reason_since: Option<DateTime<Utc>>,
    /// How long the operation had been retried for this reason code when it was claimed, by the database's clock. The
    /// time in which the operation was due but nobody claimed it is not included.
    pub retrying_for: Duration,
    /// Whether `retrying_for` counts towards parking.
    pub reason_counts: bool,
    /// The time between the acceptance of the operation and the claim, by the database's clock.
    pub age: Duration,
    /// The caller's place in its trace.
    pub trace_parent: Option<TraceParent>,
    /// When the gateway sent the claim to the database, by the monotonic clock. The lease began at this time or later.
    pub claimed_at: Instant,
}

impl Claimed {
    /// Converts an age at the time of the claim to the age now. The ages of attempts are ages at the claim. Convert
    /// such an age before you compare it with a duration that is measured now.
    pub fn age_now(&self, age_at_claim: Duration) -> Duration {
        age_at_claim.saturating_add(self.claimed_at.elapsed())
    }

    /// The tracking id.
    pub fn tracking_id(&self) -> TrackingId {
        TrackingId {
            operation_type: self.operation_type,
            id: self.id,
        }
    }

    /// The operation's lanes in which the number of the client or loan is known, each with this number.
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

    /// How long the operation has been retried, as far as this time counts towards parking. The time of an outage does
    /// not count.
    pub fn parkable_for(&self) -> Duration {
        if self.reason_counts {
            self.retrying_for
        } else {
            Duration::ZERO
        }
    }
}

/// Parses a resolution. An unknown resolution is an error. If it were treated as no resolution, the operation would be
/// sent.
pub(super) fn read_resolution(word: Option<&str>) -> Result<Option<Resolution>, StoreError> {
    let unknown = StoreError::Unknown { what: "resolution" };
    word.map(|word| Resolution::from_name(word).ok_or(unknown))
        .transpose()
}

/// The row of a claimed operation.
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
    pub(super) retrying_seconds: Option<f64>,
    pub(super) data: Json<Box<RawValue>>,
    pub(super) reference: Option<String>,
    pub(super) known_id: Option<i64>,
    pub(super) read_known_id: Option<i64>,
    pub(super) epoch: i32,
    pub(super) traceparent: Option<String>,
}

impl Row {
    /// Converts the row. `claimed_at` is the time at which the claim was sent to the database.
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
            retrying_for: seconds(self.retrying_seconds),
            age: seconds(self.age_seconds),
            trace_parent: names::trace_parent(self.traceparent),
            claimed_at,
        })
    }
}

fn seconds(seconds: Option<f64>) -> Duration {
    Duration::try_from_secs_f64(seconds.unwrap_or_default()).unwrap_or_default()
}
