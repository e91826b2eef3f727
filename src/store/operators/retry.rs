//! Retries an operation. A parked operation continues. A failed operation is run again as a new operation.

use chrono::{DateTime, Utc};
use serde_json::{json, value::RawValue};
use sqlx::{PgConnection, types::Json};

use super::{
    ActionError, Found, Operator, Unfit,
    audit::{self, Action},
    seen,
};
use crate::{
    domain::OperationId,
    store::{
        NewOperation, Store, StoreError, TrackingName, accept::insert_operations, connect,
        failures_read, lanes, patience::WithTimeout,
    },
};

const ACTION: &str = "run an operation again";

/// What is needed to run a failed operation again.
#[derive(Debug)]
pub struct Retryable {
    /// The payload, byte for byte.
    pub payload: Box<RawValue>,
    /// The name of the caller's token.
    pub caller: String,
    /// The time until which the failed operation could be sent.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether `expires_at` has passed, by the database's clock.
    pub is_past_expiry: bool,
    /// Whether people's data in the payload was erased.
    pub is_erased: bool,
}

impl Store {
    /// Makes a parked operation ready immediately. The operation keeps its key number and its attempts. If `expires_at`
    /// is given, it replaces the old value.
    pub async fn retry_parked(
        &self,
        found: &Found,
        expires_at: Option<DateTime<Utc>>,
        operator: &Operator,
    ) -> Result<(), ActionError> {
        let id = found.tracking_id.id;
        let mut transaction = connect::begin(&self.pool).or_fail_to(ACTION).await?;
        let before = seen::lock(&mut transaction, id, operator).await?;
        let parked = sqlx::query!(
            "UPDATE operation o
                SET state = 'ready', due_at = now(), lost = 0, deaths = 0, reason_code = NULL, reason_since = NULL,
                    expires_at = COALESCE($2, o.expires_at)
               FROM (SELECT id, reason_code FROM operation WHERE id = $1 AND state = 'parked'
                        FOR NO KEY UPDATE) was
              WHERE o.id = was.id
          RETURNING was.reason_code AS \"reason_code!\"",
            id.0,
            expires_at
        )
        .fetch_optional(&mut *transaction)
        .or_fail_to(ACTION)
        .await?
        .ok_or(Unfit::NotParked)?;
        let detail = json!({ "state": "parked", "reason_code": parked.reason_code });
        operator
            .record(&mut transaction, Action::Retry, (id, before), detail)
            .await?;
        transaction.commit().or_fail_to(ACTION).await?;
        self.notifier.notify_work();
        Ok(())
    }

    /// Reads what is needed to check a failed operation again and to run it again.
    pub async fn retryable(&self, id: OperationId) -> Result<Retryable, StoreError> {
        sqlx::query!(
            r#"SELECT p.caller AS "caller!", p.data AS "data!: Json<Box<RawValue>>", o.expires_at,
                      COALESCE(o.expires_at <= now(), false) AS "is_past_expiry!", p.erased_at IS NOT NULL AS "is_erased!"
                 FROM known_payloads(ARRAY[$1::uuid]) p
                CROSS JOIN known_operations(ARRAY[$1::uuid]) o"#,
            id.0
        )
        .fetch_one(&self.pool)
        .or_fail_to("read a payload")
        .await
        .map(|row| Retryable {
            payload: row.data.0,
            caller: row.caller,
            expires_at: row.expires_at,
            is_past_expiry: row.is_past_expiry,
            is_erased: row.is_erased,
        })
    }

    /// Accepts `new`, which runs a failed operation again, at the tails of its lanes. If the failed operation was on
    /// hold, the new one is on hold too.
    pub async fn retry_failed(
        &self,
        failed: &Found,
        new: &NewOperation,
        operator: &Operator,
    ) -> Result<(), ActionError> {
        let id = failed.tracking_id.id;
        let mut transaction = connect::begin(&self.pool).or_fail_to(ACTION).await?;
        // A concurrent retry of the same operation has to wait for these locks.
        let locked = failed.lane_entries.lanes();
        lanes::lock(&mut transaction, &locked)
            .or_fail_to(ACTION)
            .await?;
        if let Some(retry) = read_retry(&mut transaction, id).await? {
            return Err(Unfit::Retried(retry).into());
        }
        // The payload of `new` was read before the locks.
        if is_erased(&mut transaction, id).await? {
            return Err(Unfit::Erased.into());
        }
        // Otherwise the new operation would fail as a dependent of the failure that it is meant to correct.
        failures_read::record(&mut transaction, &[id.0], &locked)
            .or_fail_to(ACTION)
            .await?;
        let before = seen::lock(&mut transaction, id, operator).await?;
        let effects = insert_operations(&mut transaction, &[new])
            .or_fail_to(ACTION)
            .await?;
        record_hold(&mut transaction, id, new.id, operator).await?;
        let detail = json!({ "state": "failed", "retry": new.id.0 });
        operator
            .record(&mut transaction, Action::Retry, (id, before), detail)
            .await?;
        transaction.commit().or_fail_to(ACTION).await?;
        effects.notify(&self.notifier);
        Ok(())
    }
}

async fn is_erased(connection: &mut PgConnection, id: OperationId) -> Result<bool, StoreError> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM known_payloads(ARRAY[$1::uuid]) WHERE erased_at IS NOT NULL) AS "is_erased!""#,
        id.0
    )
    .fetch_one(connection)
    .or_fail_to("look whether an operation is erased")
    .await
}

/// If the new operation is on hold because the failed one was (`migrations/0008_holds.sql`), records who had put that
/// one on hold and why.
async fn record_hold(
    connection: &mut PgConnection,
    failed: OperationId,
    new: OperationId,
    operator: &Operator,
) -> Result<(), StoreError> {
    let held = sqlx::query!(
        r#"SELECT COALESCE(h.operator, a.held_by) AS "by?", COALESCE(h.reason, a.reason) AS "why?"
             FROM known_operations(ARRAY[$1::uuid]) f
             LEFT JOIN hold_all a ON a.id = f.hold_all
             LEFT JOIN LATERAL (SELECT operator, reason FROM audit
                                 WHERE operation_id = f.id AND action = 'hold' AND f.hold_all IS NULL
                                 ORDER BY id DESC LIMIT 1) h ON true
            WHERE f.on_hold"#,
        failed.0
    )
    .fetch_optional(&mut *connection)
    .or_fail_to(ACTION)
    .await?;
    let Some(held) = held else { return Ok(()) };
    let before = audit::lock(connection, new).await?;
    let reason = match (held.by, held.why) {
        (Some(by), Some(why)) => format!("it runs again what {by} had put on hold: {why}"),
        (Some(by), None) => format!("it runs again what {by} had put on hold"),
        (None, _) => "it runs again what was on hold".to_owned(),
    };
    let operator = Operator {
        reason: Some(reason),
        repair: None,
        ..operator.clone()
    };
    let detail = json!({ "retry_of": failed.0 });
    operator
        .record(connection, Action::Hold, (new, before), detail)
        .await
}

/// Finds the operation that runs this operation again, if there is one.
pub(super) async fn read_retry(
    connection: &mut PgConnection,
    id: OperationId,
) -> Result<Option<TrackingName>, StoreError> {
    sqlx::query!(
        r#"SELECT id AS "id!", type AS "type!" FROM known_retry WHERE retry_of = $1 LIMIT 1"#,
        id.0
    )
    .fetch_optional(connection)
    .or_fail_to("look for a retry")
    .await
    .map(|row| row.map(|row| TrackingName::new(&row.r#type, row.id)))
}
