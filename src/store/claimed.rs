//! What a claim asks for, and the claimed operations that it returns.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::types::{Json, Uuid};

use super::{StoreError, lanes::LaneEntries, names};
use crate::domain::{OperationId, OperationType, Resolution, TrackingId};

/// What a worker asks for when it claims.
#[derive(Clone, Debug)]
pub struct ClaimLimits {
    /// The most operations to claim.
    pub count: i64,
    /// How long the lease is.
    pub lease: Duration,
    /// The operation types to claim: those that this gateway knows, without the blocked ones.
    pub types: Vec<String>,
    /// How many operations of each lender this worker has leased already.
    pub leased_by_lender: HashMap<String, i64>,
    /// How many operations of one lender this worker may have leased at a time.
    pub per_lender: i64,
    /// The lenders to claim for: those that this gateway knows. Operations for other lenders wait for a gateway that
    /// knows them.
    pub lenders: Vec<String>,
}

impl ClaimLimits {
    /// The most operations to claim of this lender, or of those without a lender.
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
    /// Its id.
    pub id: OperationId,
    /// Its type.
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
    /// Its entries in its lanes.
    pub lane_entries: LaneEntries,
    /// The lender, if Fineract itself runs operations of this type one at a time for each lender.
    pub lender: Option<String>,
    /// The reference (UTR) of a payment.
    pub reference: Option<String>,
    /// The number of the client or loan that it changes, as Fineract answered to our create; `None` if it is not known
    /// in the current epoch.
    pub known_id: Option<i64>,
    /// The number of the client that it only reads; `None` if it is not known in the current epoch.
    pub read_known_id: Option<i64>,
    /// The epoch of Fineract's books when the operation was claimed.
    pub epoch: i32,
    /// How the operation ended according to an operator. With a resolution, nothing is sent any more.
    pub resolution: Option<Resolution>,
    /// Whether that operator has confirmed that no command of the operation waits for a checker.
    pub nothing_waits: bool,
    /// The reason code, if the operation is blocked or retried.
    pub reason_code: Option<String>,
    /// Whether `expires_at` has passed, by the database's clock.
    pub is_past_expiry: bool,
    /// How long ago everything was put on hold, if the operation existed then (`read_first`). A restored database may
    /// have forgotten what happened before, so the operation does not end as unsent until Fineract has been read.
    pub forgotten_for: Option<Duration>,
    /// Since when the reason code applies.
    pub reason_since: Option<DateTime<Utc>>,
    /// How long it had been retried for that reason when it was claimed, by the database's clock, without the time in
    /// which it was due and could not be claimed.
    pub retrying_for: Duration,
    /// Whether that time counts towards parking.
    pub reason_counts: bool,
    /// How long before the claim the operation was accepted, by the database's clock.
    pub age: Duration,
    /// When the gateway sent the claim to the database, by the monotonic clock. The lease is not older than that.
    pub claimed_at: Instant,
}

impl Claimed {
    /// How old something is now that was this old when the operation was claimed. The ages of attempts are those at the
    /// claim; whatever is compared with the present has to be counted up to it.
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

    /// The operation's lanes whose number is known, each with its number.
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

    /// How long the operation has been retried, as far as that counts towards parking. The time of an outage does not
    /// count.
    pub fn parkable_for(&self) -> Duration {
        if self.reason_counts {
            self.retrying_for
        } else {
            Duration::ZERO
        }
    }
}

/// Parses a resolution. An unknown one is an error: taken for none, the operation would be sent.
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
}

impl Row {
    /// Converts the row; `claimed_at` is when the claim was sent to the database.
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
            claimed_at,
        })
    }
}

fn seconds(seconds: Option<f64>) -> Duration {
    Duration::try_from_secs_f64(seconds.unwrap_or_default()).unwrap_or_default()
}
