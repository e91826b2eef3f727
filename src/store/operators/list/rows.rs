//! The rows of a list.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::store::{Store, StoreError, TrackingName, patience::WithTimeout};

/// An operation, as a list shows it. It contains no personal data except the external id in `lane`.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[schemars(rename = "ListedOperation")]
pub struct Listed {
    /// The UUID of the operation.
    #[serde(skip)]
    pub id: Uuid,
    /// The tracking id.
    pub tracking_id: TrackingName,
    /// The operation type.
    pub operation_type: String,
    /// The state.
    pub state: String,
    /// Whether the operation is on hold.
    pub on_hold: bool,
    /// Why the operation is parked, blocked, retried or failed: a stable code.
    pub reason_code: Option<String>,
    /// Since when `reason_code` applies; `None` if the operation has ended.
    pub reason_since: Option<DateTime<Utc>>,
    /// When the gateway accepted the operation.
    pub accepted_at: DateTime<Utc>,
    /// When the operation ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// If the operation is ready, the time of its next try. If it is running, the time when its lease expires.
    pub due_at: Option<DateTime<Utc>>,
    /// The time until which the operation may be sent.
    pub expires_at: Option<DateTime<Utc>>,
    /// The lane that the operation writes. Later operations of this lane wait for the operation.
    pub lane: String,
    /// The position in this lane.
    pub position: i64,
    /// The lane that the operation reads, such as the client's lane of a `LOAN_CREATE`.
    pub read_lane: Option<String>,
    /// The position in this lane.
    pub read_position: Option<i64>,
    /// The lender of a `LOAN_CREATE`.
    pub lender: Option<String>,
    /// The name of the caller's token.
    pub caller: String,
    /// The batch that the operation belongs to, if any.
    pub batch: Option<Uuid>,
    /// The number of its row in the batch.
    pub batch_row: Option<i32>,
    /// The failed operation that this operation runs again.
    pub retry_of: Option<Uuid>,
    /// How often the operation was claimed.
    pub claims: i32,
    /// Whether an attempt was ever committed, as far as this database knows.
    pub sent: bool,
    /// Whether another operation runs this failed operation again.
    pub retried: bool,
    /// Why everything was put on hold, if the operation is on hold by a hold-all.
    pub reason: Option<String>,
    /// Who put everything on hold.
    pub by: Option<String>,
    /// When everything was put on hold.
    pub since: Option<DateTime<Utc>>,
}

impl Store {
    /// Reads these operations. The order of the result is that of `ids`; ids of no operation are left out.
    pub async fn read_listed(&self, ids: &[Uuid]) -> Result<Vec<Listed>, StoreError> {
        let rows = sqlx::query!(
            r#"WITH cold AS MATERIALIZED (
                   SELECT not_hot($1) AS ids
               ), found AS (
                   SELECT o.*, p.caller, r.code,
                          EXISTS (SELECT FROM attempt a
                                   WHERE a.operation_id = o.id AND a.error IS DISTINCT FROM 'not_sent') AS sent
                     FROM operation o
                     JOIN payload p ON p.operation_id = o.id
                     LEFT JOIN result r ON r.operation_id = o.id
                    WHERE o.id = ANY ($1)
                    UNION ALL
                   SELECT o.*, p.caller, r.code,
                          o.id IN (SELECT a.operation_id FROM cold, archived_attempts(cold.ids) a
                                    WHERE a.error IS DISTINCT FROM 'not_sent')
                     FROM cold
                    CROSS JOIN archived_operations(cold.ids) o
                     JOIN archived_payloads(cold.ids) p ON p.operation_id = o.id
                     LEFT JOIN archived_results(cold.ids) r ON r.operation_id = o.id
               )
               SELECT o.id AS "id!", o.type AS "type!", o.state AS "state!", o.on_hold AS "on_hold!",
                      COALESCE(o.reason_code, o.code) AS reason_code, o.reason_since, o.accepted_at AS "accepted_at!",
                      o.ended_at, o.due_at, o.expires_at, o.lane AS "lane!", o.position AS "position!", o.read_lane,
                      o.read_position, o.lender, o.caller AS "caller!", b.batch_id AS "batch_id?",
                      b.number AS "batch_row?", o.retry_of, o.attempt AS "attempt!", o.sent AS "sent!",
                      EXISTS (SELECT FROM known_retry again WHERE again.retry_of = o.id) AS "retried!",
                      h.reason AS "hold_reason?", h.held_by AS "held_by?", h.since AS "held_since?"
                 FROM found o
                 LEFT JOIN batch_row b ON b.operation_id = o.id
                 LEFT JOIN hold_all h ON h.id = o.hold_all"#,
            ids
        )
        .fetch_all(&self.pool)
        .or_fail_to("read the operations of a list")
        .await?;
        let mut found: HashMap<Uuid, Listed> = HashMap::with_capacity(rows.len());
        found.extend(rows.into_iter().map(|row| {
            let listed = Listed {
                id: row.id,
                tracking_id: TrackingName::new(&row.r#type, row.id),
                operation_type: row.r#type,
                state: row.state,
                on_hold: row.on_hold,
                reason_code: row.reason_code,
                reason_since: row.reason_since,
                accepted_at: row.accepted_at,
                ended_at: row.ended_at,
                due_at: row.due_at,
                expires_at: row.expires_at,
                lane: row.lane,
                position: row.position,
                read_lane: row.read_lane,
                read_position: row.read_position,
                lender: row.lender,
                caller: row.caller,
                batch: row.batch_id,
                batch_row: row.batch_row,
                retry_of: row.retry_of,
                claims: row.attempt,
                sent: row.sent,
                retried: row.retried,
                reason: row.hold_reason,
                by: row.held_by,
                since: row.held_since,
            };
            (row.id, listed)
        }));
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }
}
