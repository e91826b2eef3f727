//! The operation itself, its payload and its result.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::{PgConnection, types::Json};

use crate::{
    domain::{OperationId, masked, untouched},
    store::{HoldAll, StoreError, TrackingName, patience::WithTimeout},
};

/// An operation's row, its payload and its result.
#[derive(Debug, JsonSchema, Serialize)]
pub struct InspectedOperation {
    /// The tracking id.
    pub tracking_id: TrackingName,
    /// The operation type.
    pub operation_type: String,
    /// The state.
    pub state: String,
    /// Whether the operation is on hold.
    pub on_hold: bool,
    /// The hold-all by which the operation is on hold; `None` if an operator put it on hold individually.
    pub hold_all: Option<HoldAll>,
    /// The stable code for the reason why the operation is parked, blocked or retried, and when this reason began to
    /// apply.
    pub reason_code: Option<String>,
    /// Since when `reason_code` applies.
    pub reason_since: Option<DateTime<Utc>>,
    /// How the operation ended according to an operator. A worker checks this before it ends the operation.
    pub resolution: Option<String>,
    /// The name of the caller's token.
    pub caller: String,
    /// When the gateway accepted the operation.
    pub accepted_at: DateTime<Utc>,
    /// The time until which the operation may be sent.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether this time has passed, by the database's clock.
    #[serde(skip)]
    pub is_past_expiry: bool,
    /// If the operation is ready, the time of its next try. If it is running, the time when its lease expires.
    pub due_at: Option<DateTime<Utc>>,
    /// When the operation ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// How often the operation was claimed. Not every claim leads to an attempt.
    pub claims: i32,
    /// The key number in use: the `k` of the idempotency key.
    pub key_number: i32,
    /// How many claims ended with their process after an attempt was committed.
    pub lost: i16,
    /// The lane that the operation writes, and the lane that it reads, if any.
    pub lanes: Vec<InspectedLaneEntry>,
    /// The failed operation that this operation runs again.
    pub retry_of: Option<TrackingName>,
    /// When people's data in the payload, the commands and the answers was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<DateTime<Utc>>,
    /// The payload as the caller sent it.
    pub payload: Box<RawValue>,
    /// How the operation ended.
    pub result: Option<InspectedResult>,
}

/// A lane entry of the operation. For an ended operation, the lane entry that it had.
#[derive(Debug, JsonSchema, Serialize)]
pub struct InspectedLaneEntry {
    /// The lane.
    pub lane: String,
    /// The position in the lane.
    pub position: i64,
    /// Whether the operation writes the lane.
    pub writes: bool,
}

/// How the operation ended.
#[derive(Debug, JsonSchema, Serialize)]
pub struct InspectedResult {
    /// Why it failed: a stable code.
    pub code: Option<String>,
    /// Fineract's answer to a success.
    pub success_response: Option<Box<RawValue>>,
    /// Fineract's answer to a failure.
    pub failure_response: Option<Box<RawValue>>,
    /// Why it failed, in a sentence.
    pub error_message: Option<String>,
}

impl InspectedOperation {
    /// Masks the personal data in the payload and in the result.
    pub(super) fn mask(&mut self) {
        self.payload = masked(&self.payload);
        if let Some(result) = &mut self.result {
            for body in [&mut result.success_response, &mut result.failure_response] {
                *body = body.as_deref().map(masked);
            }
        }
    }
}

pub(super) async fn read_operation(
    connection: &mut PgConnection,
    id: OperationId,
) -> Result<Option<InspectedOperation>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT o.id AS "id!", o.type AS "type!", o.state AS "state!", o.on_hold AS "on_hold!", h.id AS "hold_id?", h.reason AS "hold_reason?",
                  h.held_by AS "hold_by?", h.since AS "hold_since?", h.covers_all_since, o.expires_at,
                  COALESCE(o.expires_at <= now(), false) AS "is_past_expiry!", o.reason_code, o.reason_since,
                  o.resolution, o.accepted_at AS "accepted_at!", o.due_at, o.ended_at, o.attempt AS "attempt!",
                  o.key_number AS "key_number!", o.lost AS "lost!", o.lane AS "lane!", o.position AS "position!",
                  o.read_lane, o.read_position, p.caller AS "caller!", p.data AS "data!: Json<Box<RawValue>>",
                  p.erased_at,
                  r.code, r.success, r.failure, r.message,
                  first.id AS "first_id?", first.type AS "first_type?"
             FROM known_operations(ARRAY[$1::uuid]) o
            CROSS JOIN known_payloads(ARRAY[$1::uuid]) p
             LEFT JOIN known_results(ARRAY[$1::uuid]) r ON true
             LEFT JOIN LATERAL known_operations(ARRAY[o.retry_of]) first ON true
             LEFT JOIN hold_all h ON h.id = o.hold_all"#,
        id.0
    )
    .fetch_optional(connection)
    .or_fail_to("inspect an operation")
    .await?;
    let Some(row) = row else { return Ok(None) };
    let read = row.read_lane.zip(row.read_position);
    let first = row.first_id.zip(row.first_type);
    let named = row.hold_id.zip(row.hold_reason);
    let hold = named.zip(row.hold_by.zip(row.hold_since));
    let hold = hold.map(|((id, reason), (by, since))| HoldAll {
        id,
        reason,
        by,
        since,
        covers_all_since: row.covers_all_since,
    });
    Ok(Some(InspectedOperation {
        tracking_id: TrackingName::new(&row.r#type, row.id),
        operation_type: row.r#type,
        state: row.state,
        on_hold: row.on_hold,
        hold_all: hold,
        reason_code: row.reason_code,
        reason_since: row.reason_since,
        resolution: row.resolution,
        caller: row.caller,
        accepted_at: row.accepted_at,
        expires_at: row.expires_at,
        is_past_expiry: row.is_past_expiry,
        due_at: row.due_at,
        ended_at: row.ended_at,
        claims: row.attempt,
        key_number: row.key_number,
        lost: row.lost,
        lanes: lane_entries((row.lane, row.position), read),
        retry_of: first.map(|(id, name)| TrackingName::new(&name, id)),
        erased_at: row.erased_at,
        payload: row.data.0,
        result: row.ended_at.map(|_| InspectedResult {
            code: row.code,
            success_response: row.success.and_then(untouched),
            failure_response: row.failure.and_then(untouched),
            error_message: row.message,
        }),
    }))
}

/// The places of an operation in the lane that it writes, and in the lane that it reads.
fn lane_entries(written: (String, i64), read: Option<(String, i64)>) -> Vec<InspectedLaneEntry> {
    let places = std::iter::once((written, true)).chain(read.map(|read| (read, false)));
    let entries = places.map(|((lane, position), writes)| InspectedLaneEntry {
        lane,
        position,
        writes,
    });
    entries.collect()
}
