//! The rows of new operations.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{NewOperation, placing::Placed};

/// Inserts the rows; gives back the transaction's id, by which its commit can be asked for.
pub(in crate::store) async fn insert_operations(
    connection: &mut PgConnection,
    new: &[&NewOperation],
    placed: &[Placed],
) -> Result<Option<String>, sqlx::Error> {
    let positions: Vec<i64> = placed.iter().map(|place| place.position).collect();
    let read_positions: Vec<Option<i64>> = placed.iter().map(|place| place.read_position).collect();
    let transaction_id = sqlx::query_scalar!(
        r#"INSERT INTO operation (id, type, state, lane, position, read_lane, read_position, ungranted, lender, retry_of, expires_at, due_at)
           SELECT n.id, n.type, CASE n.ungranted WHEN 0 THEN 'ready' ELSE 'waiting' END,
                  n.lane, n.position, n.read_lane, n.read_position, n.ungranted, n.lender, n.retry_of, n.expires_at,
                  CASE n.ungranted WHEN 0 THEN now() END
             FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::smallint[], $8::text[], $9::uuid[], $10::timestamptz[])
                  AS n (id, type, lane, position, read_lane, read_position, ungranted, lender, retry_of, expires_at)
        RETURNING pg_current_xact_id()::text AS "transaction_id!""#,
        &ids(new),
        &new.iter().map(|n| n.operation_type.as_str().to_owned()).collect::<Vec<_>>(),
        &lanes(new),
        &positions,
        &read_lanes(new) as &[Option<String>],
        &read_positions as &[Option<i64>],
        &placed.iter().map(|place| place.ungranted).collect::<Vec<_>>(),
        &new.iter().map(|n| n.checked.lender.clone()).collect::<Vec<_>>() as &[Option<String>],
        &new.iter().map(|n| n.retry_of.map(|id| id.0)).collect::<Vec<_>>() as &[Option<Uuid>],
        &new.iter().map(|n| n.expires_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
    )
    .fetch_all(&mut *connection)
    .await?
    .pop();
    insert_payloads(connection, new).await?;
    insert_places(connection, new, placed).await?;
    follow_retries(connection, new).await?;
    Ok(transaction_id)
}

/// Makes the rows of batches follow: whoever runs a failed operation again, its row shows it.
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

async fn insert_payloads(
    connection: &mut PgConnection,
    new: &[&NewOperation],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO payload (operation_id, caller, data, reference, lane)
         SELECT n.id, n.caller, n.data::json, n.reference, n.lane
           FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
                AS n (id, caller, data, reference, lane)",
        &ids(new),
        &new.iter().map(|n| n.caller.clone()).collect::<Vec<_>>(),
        &new.iter()
            .map(|n| n.payload.get().to_owned())
            .collect::<Vec<_>>(),
        &new.iter()
            .map(|n| n.checked.reference.clone())
            .collect::<Vec<_>>() as &[Option<String>],
        &lanes(new),
    )
    .execute(connection)
    .await
    .map(drop)
}

async fn insert_places(
    connection: &mut PgConnection,
    new: &[&NewOperation],
    placed: &[Placed],
) -> Result<(), sqlx::Error> {
    let positions: Vec<i64> = placed.iter().map(|place| place.position).collect();
    let read_positions: Vec<Option<i64>> = placed.iter().map(|place| place.read_position).collect();
    sqlx::query!(
        "INSERT INTO place (lane, position, operation_id, writes, granted)
         SELECT n.lane, n.position, n.id, true, n.granted
           FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bool[]) AS n (id, lane, position, granted)
          UNION ALL
         SELECT n.lane, n.position, n.id, false, n.granted
           FROM unnest($1::uuid[], $5::text[], $6::bigint[], $7::bool[]) AS n (id, lane, position, granted)
          WHERE n.lane IS NOT NULL",
        &ids(new),
        &lanes(new),
        &positions,
        &placed.iter().map(|place| place.granted).collect::<Vec<_>>(),
        &read_lanes(new) as &[Option<String>],
        &read_positions as &[Option<i64>],
        &placed.iter().map(|place| place.read_granted).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await
    .map(drop)
}

fn ids(new: &[&NewOperation]) -> Vec<Uuid> {
    new.iter().map(|operation| operation.id.0).collect()
}

fn lanes(new: &[&NewOperation]) -> Vec<String> {
    new.iter()
        .map(|operation| operation.checked.lanes.writes.as_str().to_owned())
        .collect()
}

fn read_lanes(new: &[&NewOperation]) -> Vec<Option<String>> {
    let read = |operation: &&NewOperation| {
        operation
            .checked
            .lanes
            .reads
            .as_ref()
            .map(|lane| lane.as_str().to_owned())
    };
    new.iter().map(read).collect()
}
