//! The operations that an operation waits for, and the operators' actions on it.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::OperationId,
    store::{StoreError, TrackingName, patience::WithTimeout},
};

/// The largest number of operations ahead that are listed for each lane.
const AHEAD: i64 = 10;

/// An operation that is ahead of the inspected operation in a lane.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "OperationAhead")]
pub struct Ahead {
    /// The tracking id.
    pub tracking_id: TrackingName,
    /// The state.
    pub state: String,
    /// Why it has not ended: a stable code.
    pub reason_code: Option<String>,
    /// The lane in which it is ahead.
    pub lane: String,
    /// Its position in this lane.
    pub position: i64,
}

/// Reads the operations that must end before the inspected operation can run. These are all operations ahead in the
/// lane that it writes, and the writers ahead in the lane that it reads.
pub(super) async fn read_ahead(
    connection: &mut PgConnection,
    id: OperationId,
) -> Result<Vec<Ahead>, StoreError> {
    let rows = sqlx::query!(
        "WITH ahead AS (
             (SELECT p.lane, p.position, p.operation_id
                FROM operation o
                JOIN lane_entry p ON p.lane = o.lane AND p.position < o.position
               WHERE o.id = $1 AND o.state = 'waiting'
               ORDER BY p.position
               LIMIT $2)
              UNION ALL
             (SELECT p.lane, p.position, p.operation_id
                FROM operation o
                JOIN lane_entry p ON p.lane = o.read_lane AND p.position < o.read_position AND p.writes
               WHERE o.id = $1 AND o.state = 'waiting'
               ORDER BY p.position
               LIMIT $2)
         )
         SELECT o.id, o.type, o.state, o.reason_code, a.lane AS \"lane!\", a.position AS \"position!\"
           FROM ahead a
           JOIN operation o ON o.id = a.operation_id
          ORDER BY a.lane, a.position",
        id.0,
        AHEAD
    )
    .fetch_all(connection)
    .or_fail_to("read the operations ahead")
    .await?;
    let ahead = rows.into_iter().map(|row| Ahead {
        tracking_id: TrackingName::new(&row.r#type, row.id),
        state: row.state,
        reason_code: row.reason_code,
        lane: row.lane,
        position: row.position,
    });
    Ok(ahead.collect())
}

/// An operator's action.
#[derive(Debug, JsonSchema, Serialize)]
pub struct AuditEntry {
    /// When the operator acted.
    pub at: DateTime<Utc>,
    /// The name of the operator's token.
    pub operator: String,
    /// The action.
    pub action: String,
    /// The id of the request.
    pub request_id: String,
    /// What was requested.
    pub detail: Value,
    /// The address from which the request came.
    pub address: Option<String>,
    /// Why, in the words of the operator.
    pub reason: Option<String>,
    /// The operation before the action.
    pub before: Option<Value>,
    /// The operation after the action.
    pub after: Option<Value>,
    /// The repair that acted for the operator, if any.
    pub repair: Option<Uuid>,
}

pub(super) async fn read_audit(
    connection: &mut PgConnection,
    id: OperationId,
) -> Result<Vec<AuditEntry>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT at, operator, action, request_id, detail,
                  address, reason, before, after, repair_id
             FROM audit
            WHERE operation_id = $1
            ORDER BY id"#,
        id.0
    )
    .fetch_all(connection)
    .or_fail_to("read the audit")
    .await?;
    let entries = rows.into_iter().map(|row| AuditEntry {
        at: row.at,
        operator: row.operator,
        action: row.action,
        request_id: row.request_id,
        detail: row.detail,
        address: row.address,
        reason: row.reason,
        before: row.before,
        after: row.after,
        repair: row.repair_id,
    });
    Ok(entries.collect())
}
