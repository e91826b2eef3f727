//! Reading one operation as a movement of money (document 003).

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::types::Json;

use super::{Asking, Store, StoreError, names};
use crate::domain::{OperationId, OperationType, State, TrackingId};

/// An operation with what is told of a movement of money.
#[derive(Debug)]
pub struct MoneyMovement {
    /// The name by which callers know it.
    pub tracking_id: TrackingId,
    /// Its payload, as it was accepted.
    pub payload: Box<RawValue>,
    /// How far it has come.
    pub progress: Progress,
    /// Fineract's success body.
    pub success: Option<String>,
    /// The body of the last attempt's request.
    pub request: Option<String>,
    /// The loan's currency, once it was read.
    pub currency: Option<String>,
    /// When it was accepted.
    pub accepted_at: DateTime<Utc>,
    /// When anything was last heard of it.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// How far an operation has come, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that are independent of each other"
)]
pub struct Progress {
    /// Where it stands.
    pub state: State,
    /// Whether an operator holds it back.
    pub is_on_hold: bool,
    /// Whether a worker has had it, or has it.
    pub was_claimed: bool,
    /// Whether anything was sent, or may have been.
    pub was_sent: bool,
    /// Whether it repays all that was outstanding of its loan.
    pub pays_off: bool,
    /// Why it failed, or why it is parked or tried again, as a stable code.
    pub code: Option<String>,
    /// Whether Fineract's own refusal is its failure.
    pub is_refused: bool,
    /// The status of the last answer to an attempt.
    pub last_status: Option<i16>,
}

/// How many of the operations accepted last show the recent pace.
const RECENT: i64 = 500;

impl Store {
    /// Reads an operation; `None` when there is none of that id. Reading a failure is noted on its lanes.
    pub async fn money_movement(
        &self,
        id: OperationId,
    ) -> Result<Option<MoneyMovement>, StoreError> {
        let row = sqlx::query!(
            r#"SELECT o.type, o.state, o.on_hold, o.attempt, o.accepted_at, o.ended_at,
                      p.data AS "payload: Json<Box<RawValue>>",
                      r.success AS "success?", COALESCE(r.code, o.reason_code) AS code, r.failure IS NOT NULL AS "is_refused!",
                      COALESCE(r.marked, false) AS "marked!",
                      a.body AS request, a.currency, a.status, COALESCE(a.was_sent, false) AS "was_sent!",
                      COALESCE(a.pays_off, false) AS "pays_off!",
                      GREATEST(o.accepted_at, a.changed_at, o.ended_at) AS "updated_at!"
                 FROM operation o
                 JOIN payload p ON p.operation_id = o.id
                 LEFT JOIN result r ON r.operation_id = o.id
                CROSS JOIN LATERAL (
                      SELECT (array_agg(body ORDER BY number DESC))[1] AS body,
                             (array_agg(status ORDER BY number DESC) FILTER (WHERE status IS NOT NULL))[1] AS status,
                             (array_agg(currency ORDER BY number DESC) FILTER (WHERE currency IS NOT NULL))[1] AS currency,
                             bool_or(pays_off) AS pays_off,
                             bool_or(error IS DISTINCT FROM 'not_connected') AS was_sent,
                             GREATEST(max(sent_at), max(answered_at)) AS changed_at
                        FROM attempt
                       WHERE operation_id = o.id) a
                WHERE o.id = $1"#,
            id.0
        )
        .fetch_optional(&self.pool)
        .or_fail_to("read a transaction")
        .await?;
        let Some(row) = row else { return Ok(None) };
        if row.marked {
            self.note_failures_read(&[id.0]).await?;
        }
        let operation_type = names::operation_type(&row.r#type)?;
        Ok(Some(MoneyMovement {
            tracking_id: TrackingId { operation_type, id },
            payload: row.payload.0,
            progress: Progress {
                state: names::state(&row.state)?,
                is_on_hold: row.on_hold,
                was_claimed: row.attempt > 0,
                was_sent: row.was_sent,
                pays_off: row.pays_off,
                code: row.code,
                is_refused: row.is_refused,
                last_status: row.status,
            },
            success: row.success,
            request: row.request,
            currency: row.currency,
            accepted_at: row.accepted_at,
            updated_at: row.updated_at,
            ended_at: row.ended_at,
        }))
    }

    /// When an operation of this type that is under way now may have ended, by the pace of the recent
    /// ones; `None` when none of them has ended.
    pub async fn estimated_end(
        &self,
        operation_type: OperationType,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        sqlx::query_scalar!(
            "SELECT now() + avg(ended_at - accepted_at) AS at
               FROM (SELECT type, accepted_at, ended_at
                       FROM operation
                      ORDER BY id DESC
                      LIMIT $2) recent
              WHERE type = $1 AND ended_at IS NOT NULL",
            operation_type.as_str(),
            RECENT
        )
        .fetch_one(&self.pool)
        .or_fail_to("read the recent pace")
        .await
    }
}
