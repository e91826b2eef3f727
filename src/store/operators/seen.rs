//! What an operator has seen of an operation. A repair, or a form of the page, acts on an operation only if it is still
//! as it was seen.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{ActionError, Operator, Unfit, audit};
use crate::{
    domain::{OperationId, OperationType},
    store::{StoreError, TrackingName, patience::WithTimeout},
};

/// What an operation shows by itself.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub(super) state: &'a str,
    pub(super) on_hold: bool,
    pub(super) reason_code: Option<&'a str>,
    pub(super) reason_since: Option<DateTime<Utc>>,
}

/// What decides about a failed operation beside its own row.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is told by itself")]
pub(super) struct Beside {
    /// How many attempts it has had.
    pub(super) attempts: i64,
    /// The operation that runs this operation again.
    pub(super) retried_by: Option<TrackingName>,
    pub(super) is_past_expiry: bool,
    /// A later operation of the same type in its lane is open or has succeeded.
    pub(super) is_superseded: bool,
    /// It is a payment, and a later one of the same type in its lane has failed as well.
    pub(super) may_be_duplicate: bool,
    /// People's data in it was erased.
    pub(super) is_erased: bool,
}

/// What is kept of an operation to notice a change. Admission and the gateway's own retries change open operations, and
/// are no such change, as long as the operation is not on hold.
pub(super) fn seen(shown: &Shown<'_>, beside: &Beside) -> String {
    let state = match shown.state {
        "waiting" | "ready" => "open",
        state => state,
    };
    let reason = shown.reason_code.filter(|_| state == "parked");
    let since = shown.reason_since.filter(|_| state == "parked");
    let since = since.map_or(0, |since| since.timestamp_micros());
    let is_idle = state != "running" && (state != "open" || shown.on_hold);
    let attempts = if is_idle { beside.attempts } else { 0 };
    let (hold, superseded) = (shown.on_hold, beside.is_superseded);
    let (duplicate, retried) = (beside.may_be_duplicate, beside.retried_by.is_some());
    format!(
        "{state} hold={hold} reason={} since={since} attempts={attempts} superseded={superseded} duplicate={duplicate} retried={retried}",
        reason.unwrap_or_default()
    )
}

/// Locks an operation for an action, and reads what the audit records of it before. The operation must still be as the
/// operator saw it, or as it was seen when the repair that acts was started. The lanes of the operation must be locked
/// before, if the action needs them: then no newer operation can come between this check and the action.
pub(super) async fn lock(
    connection: &mut PgConnection,
    id: OperationId,
    operator: &Operator,
) -> Result<Value, ActionError> {
    let before = audit::lock(connection, id).await?;
    if let Some(repair) = operator.repair
        && has_changed(connection, repair, id).await?
    {
        return Err(Unfit::Changed.into());
    }
    if operator.seen.is_some() && operator.seen != read_seen(connection, id, None).await? {
        return Err(Unfit::Changed.into());
    }
    Ok(before)
}

/// Whether an operation of a repair is no longer as it was seen when the repair was started.
pub(super) async fn has_changed(
    connection: &mut PgConnection,
    repair: Uuid,
    id: OperationId,
) -> Result<bool, StoreError> {
    let before = sqlx::query_scalar!(
        "SELECT seen FROM repair_row WHERE repair_id = $1 AND operation_id = $2",
        repair,
        id.0
    )
    .fetch_optional(&mut *connection)
    .or_fail_to("look at an operation of a repair")
    .await?;
    Ok(before.is_none() || before != read_seen(connection, id, Some(repair)).await?)
}

/// What an operator sees now of an operation. Operations that this repair has accepted are left aside.
pub(super) async fn read_seen(
    connection: &mut PgConnection,
    id: OperationId,
    repair: Option<Uuid>,
) -> Result<Option<String>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT state AS "state!", on_hold AS "on_hold!", reason_code, reason_since
             FROM known_operations(ARRAY[$1::uuid])"#,
        id.0
    )
    .fetch_optional(&mut *connection)
    .or_fail_to("look at an operation")
    .await?;
    let Some(row) = row else { return Ok(None) };
    let mut beside = read_beside(connection, &[id.0], repair).await?;
    let beside = beside.remove(&id.0).unwrap_or_default();
    let shown = Shown {
        state: &row.state,
        on_hold: row.on_hold,
        reason_code: row.reason_code.as_deref(),
        reason_since: row.reason_since,
    };
    Ok(Some(seen(&shown, &beside)))
}

/// Reads what decides about these operations beside their own rows. Operations that this repair has accepted to run
/// failed ones again do not count as later ones.
pub(super) async fn read_beside(
    connection: &mut PgConnection,
    ids: &[Uuid],
    repair: Option<Uuid>,
) -> Result<HashMap<Uuid, Beside>, StoreError> {
    // Each lane is read once, however many operations of it are looked at. What is archived, or gone, is in past_operation.
    let rows = sqlx::query!(
        r#"WITH failed AS MATERIALIZED (
               SELECT DISTINCT lane, type FROM known_operations($1) WHERE state = 'failed'
           ), last AS MATERIALIZED (
               SELECT f.lane, f.type, l.going, l.failed
                 FROM failed f
                CROSS JOIN LATERAL (
                      SELECT max(x.position) FILTER (WHERE x.state <> 'failed') AS going,
                             max(x.position) FILTER (WHERE x.state = 'failed') AS failed
                        FROM (SELECT o.id, o.state, o.position, o.retry_of
                                FROM payload p
                                JOIN operation o ON o.id = p.operation_id
                               WHERE p.lane = f.lane AND o.type = f.type
                               UNION ALL
                              SELECT id, state, position, retry_of
                                FROM past_operation
                               WHERE lane = f.lane AND type = f.type) x
                       WHERE NOT EXISTS (SELECT FROM audit a
                                          WHERE a.repair_id = $2 AND a.operation_id = x.retry_of
                                            AND a.detail ->> 'retry' = x.id::text)) l
           ), attempts AS MATERIALIZED (
               SELECT operation_id, count(*) AS count FROM known_attempts($1) GROUP BY operation_id
           )
           SELECT o.id AS "id!", COALESCE(o.expires_at <= now(), false) AS "is_past_expiry!",
                  r.id AS "retry_id?", r.type AS "retry_type?",
                  COALESCE(o.state = 'failed' AND l.going > o.position, false) AS "is_superseded!",
                  COALESCE(o.state = 'failed' AND o.type = ANY ($3) AND l.failed > o.position, false)
                      AS "may_be_duplicate!",
                  COALESCE(a.count, 0) AS "attempts!", p.operation_id IS NOT NULL AS "is_erased!"
             FROM known_operations($1) o
             LEFT JOIN known_retry r ON r.retry_of = o.id
             LEFT JOIN last l ON l.lane = o.lane AND l.type = o.type
             LEFT JOIN attempts a ON a.operation_id = o.id
             LEFT JOIN (SELECT operation_id FROM known_payloads($1) WHERE erased_at IS NOT NULL) p
                    ON p.operation_id = o.id"#,
        ids,
        repair,
        &OperationType::PAYMENTS.map(|payment| payment.to_string())[..]
    )
    .fetch_all(connection)
    .or_fail_to("look at the operations of a repair")
    .await?;
    let rows = rows.into_iter().map(|row| {
        let retry = row.retry_id.zip(row.retry_type);
        let beside = Beside {
            attempts: row.attempts,
            retried_by: retry.map(|(id, name)| TrackingName::new(&name, id)),
            is_past_expiry: row.is_past_expiry,
            is_superseded: row.is_superseded,
            may_be_duplicate: row.may_be_duplicate,
            is_erased: row.is_erased,
        };
        (row.id, beside)
    });
    Ok(rows.collect())
}
