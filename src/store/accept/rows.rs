//! Inserts the rows of new operations.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{NewOperation, lane_entries::Entered};

/// Inserts the rows. Returns the id of the transaction. With this id, Postgres can be asked whether the transaction was
/// committed.
pub(in crate::store) async fn insert_operations(
    connection: &mut PgConnection,
    new: &[&NewOperation],
    entered: &[Entered],
) -> Result<String, sqlx::Error> {
    let ids: Vec<Uuid> = new.iter().map(|operation| operation.id.0).collect();
    let transaction_id = sqlx::query_scalar!(
        r#"WITH new AS (
             SELECT *
               FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[],
                           $7::smallint[], $8::text[], $9::uuid[], $10::timestamptz[], $11::bool[],
                           $12::bool[], $13::text[], $14::text[], $15::text[])
                    AS n (id, type, lane, position, read_lane, read_position,
                          blocked_by, lender, retry_of, expires_at, admitted,
                          read_admitted, caller, data, reference)
           ), operations AS (
             INSERT INTO operation (id, type, state, lane, position, read_lane, read_position, blocked_by,
                                    lender, retry_of, expires_at, due_at, on_hold, hold_all)
             SELECT n.id, type, CASE blocked_by WHEN 0 THEN 'ready' ELSE 'waiting' END, lane, position,
                    read_lane, read_position, blocked_by, lender, retry_of, expires_at,
                    CASE blocked_by WHEN 0 THEN now() END, hold.id IS NOT NULL, hold.id
               FROM new n
               -- Read by a statement of its own, after the lock that `enter_lanes` takes.
               LEFT JOIN hold_all hold ON hold.ended_at IS NULL
           ), payloads AS (
             INSERT INTO payload (operation_id, caller, data, reference, lane)
             SELECT id, caller, data::json, reference, lane FROM new
           ), lane_entries AS (
             INSERT INTO lane_entry (lane, position, operation_id, writes, admitted)
             SELECT lane, position, id, true, admitted FROM new
              UNION ALL
             SELECT read_lane, read_position, id, false, read_admitted FROM new WHERE read_lane IS NOT NULL
           )
           SELECT pg_current_xact_id()::text AS "transaction_id!""#,
        &ids,
        &new.iter().map(|n| n.operation_type.as_str().to_owned()).collect::<Vec<_>>(),
        &new.iter().map(|n| n.checked.lanes.writes.as_str().to_owned()).collect::<Vec<_>>(),
        &entered.iter().map(|entry| entry.position).collect::<Vec<_>>(),
        &new.iter().map(|n| read_lane(n)).collect::<Vec<_>>() as &[Option<String>],
        &entered.iter().map(|entry| entry.read_position).collect::<Vec<_>>() as &[Option<i64>],
        &entered.iter().map(|entry| entry.blocked_by).collect::<Vec<_>>(),
        &new.iter().map(|n| n.checked.lender.clone()).collect::<Vec<_>>() as &[Option<String>],
        &new.iter().map(|n| n.retry_of.map(|id| id.0)).collect::<Vec<_>>() as &[Option<Uuid>],
        &new.iter().map(|n| n.expires_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &entered.iter().map(|entry| entry.admitted).collect::<Vec<_>>(),
        &entered.iter().map(|entry| entry.read_admitted).collect::<Vec<_>>(),
        &new.iter().map(|n| n.caller.clone()).collect::<Vec<_>>(),
        &new.iter().map(|n| n.payload.get().to_owned()).collect::<Vec<_>>(),
        &new.iter().map(|n| n.checked.reference.clone()).collect::<Vec<_>>() as &[Option<String>],
    )
    .fetch_one(&mut *connection)
    .await?;
    follow_retries(connection, new).await?;
    Ok(transaction_id)
}

/// If a new operation runs the failed operation of a batch row again, makes the row refer to the new operation. It does
/// not matter whether the client or an operator requested the retry.
async fn follow_retries(
    connection: &mut PgConnection,
    new: &[&NewOperation],
) -> Result<(), sqlx::Error> {
    let retries: (Vec<Uuid>, Vec<Uuid>) = new
        .iter()
        .filter_map(|operation| Some((operation.id.0, operation.retry_of?.0)))
        .unzip();
    if retries.0.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE batch_row r
            SET operation_id = n.id
           FROM unnest($1::uuid[], $2::uuid[]) AS n (id, retry_of)
          WHERE r.operation_id = n.retry_of",
        &retries.0,
        &retries.1
    )
    .execute(connection)
    .await
    .map(drop)
}

fn read_lane(operation: &NewOperation) -> Option<String> {
    let read = operation.checked.lanes.reads.as_ref()?;
    Some(read.as_str().to_owned())
}
