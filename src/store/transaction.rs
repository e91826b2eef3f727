//! Reads one operation for the transactions API (document 003).

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::types::Json;

use super::{Store, StoreError, names, patience::WithTimeout};
use crate::domain::{OperationId, OperationType, State, TrackingId};

/// An operation that moves money, with the values that the transactions API shows.
#[derive(Debug)]
pub struct MoneyMovement {
    /// The tracking id.
    pub tracking_id: TrackingId,
    /// Who sent the operation (`payload.caller`).
    pub caller: String,
    /// Whether it matters to later operations of its lanes that its failure is read.
    pub is_marked: bool,
    /// The payload, as the gateway accepted it.
    pub payload: Box<RawValue>,
    /// How far the operation has come.
    pub progress: Progress,
    /// Fineract's success body, unchanged.
    pub success: Option<String>,
    /// The body of the last attempt's command.
    pub request: Option<String>,
    /// The loan's currency, if a worker has read it.
    pub currency: Option<String>,
    /// When the gateway accepted the operation.
    pub accepted_at: DateTime<Utc>,
    /// The latest of these times: the operation was accepted, an attempt was sent, an attempt was answered, the
    /// operation ended.
    pub updated_at: DateTime<Utc>,
    /// When the operation ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// How far an operation has come, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that are independent of each other"
)]
pub struct Progress {
    /// The state.
    pub state: State,
    /// Whether the operation is on hold.
    pub is_on_hold: bool,
    /// Whether a worker has ever claimed the operation.
    pub was_claimed: bool,
    /// Whether a command was sent, or may have been sent.
    pub was_sent: bool,
    /// Whether the command repays everything that is outstanding.
    pub pays_off: bool,
    /// The stable code for the reason why the operation failed, or is parked, blocked or retried.
    pub code: Option<String>,
    /// Whether the operation failed because Fineract refused it.
    pub is_refused: bool,
    /// The HTTP status of Fineract's last answer.
    pub last_status: Option<i16>,
}

/// How many of the most recently accepted operations are used to estimate the current throughput.
const RECENT: i64 = 500;

impl Store {
    /// Reads an operation. Returns `None` if no operation has this id. It is not recorded that its failure was read.
    pub async fn money_movement(
        &self,
        id: OperationId,
    ) -> Result<Option<MoneyMovement>, StoreError> {
        let row = sqlx::query!(
            r#"SELECT o.type AS "type!", o.state AS "state!", o.on_hold AS "on_hold!", o.attempt AS "attempt!",
                      o.accepted_at AS "accepted_at!", o.ended_at, p.caller AS "caller!",
                      p.data AS "payload!: Json<Box<RawValue>>",
                      r.success AS "success?", COALESCE(r.code, o.reason_code) AS code, r.failure IS NOT NULL AS "is_refused!",
                      COALESCE(r.marked, false) AS "marked!",
                      a.body AS request, a.currency, a.status, COALESCE(a.was_sent, false) AS "was_sent!",
                      COALESCE(a.pays_off, false) AS "pays_off!",
                      GREATEST(o.accepted_at, a.changed_at, o.ended_at) AS "updated_at!"
                 FROM known_operations(ARRAY[$1::uuid]) o
                CROSS JOIN known_payloads(ARRAY[$1::uuid]) p
                 LEFT JOIN known_results(ARRAY[$1::uuid]) r ON true
                CROSS JOIN LATERAL (
                      SELECT (array_agg(body ORDER BY number DESC))[1] AS body,
                             (array_agg(status ORDER BY number DESC) FILTER (WHERE status IS NOT NULL))[1] AS status,
                             (array_agg(currency ORDER BY number DESC) FILTER (WHERE currency IS NOT NULL))[1] AS currency,
                             bool_or(pays_off) AS pays_off,
                             bool_or(COALESCE(error NOT IN ('not_sent', 'not_connected'), true)) AS was_sent,
                             GREATEST(max(sent_at), max(answered_at)) AS changed_at
                        FROM known_attempts(ARRAY[$1::uuid])) a"#,
            id.0
        )
        .fetch_optional(&self.pool)
        .or_fail_to("read a transaction")
        .await?;
        let Some(row) = row else { return Ok(None) };
        let operation_type = names::operation_type(&row.r#type)?;
        Ok(Some(MoneyMovement {
            tracking_id: TrackingId { operation_type, id },
            caller: row.caller,
            is_marked: row.marked,
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

    /// Estimates when an operation of this type that is in progress now may end, from the recent operations of this
    /// type. Returns `None` if none of the recent operations has ended.
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
        .or_fail_to("read the recent throughput")
        .await
    }
}
