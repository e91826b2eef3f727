//! What is around an operation: its neighbours in its lane, its batch, and the operations that it runs again or that run
//! it again.

use schemars::JsonSchema;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::OperationId,
    store::{Listed, Store, StoreError, TrackingName, patience::WithTimeout},
};

/// How many neighbours are shown on each side.
const NEIGHBOURS: i64 = 5;
/// The longest chain of retries that is followed in each direction.
const RETRIES: i32 = 20;

/// The batch of an operation.
#[derive(Debug, JsonSchema, Serialize)]
pub struct InspectedBatch {
    /// The batch.
    pub id: Uuid,
    /// The client's own name for the batch.
    pub reference_id: String,
    /// The name of the bulk client.
    pub client: String,
    /// The name of the file, if the client gave one.
    pub file_name: Option<String>,
    /// The number of the operation's row in the file, from 1.
    pub row: i32,
    /// How many rows the batch has.
    pub total: i32,
}

pub(super) async fn read_batch(
    connection: &mut PgConnection,
    id: OperationId,
) -> Result<Option<InspectedBatch>, StoreError> {
    sqlx::query_as!(
        InspectedBatch,
        "SELECT b.id, b.reference_id, b.client, b.file_name, r.number AS row, b.total
           FROM batch_row r
           JOIN batch b ON b.id = r.batch_id
          WHERE r.operation_id = $1",
        id.0
    )
    .fetch_optional(connection)
    .or_fail_to("read the batch of an operation")
    .await
}

/// The operations that are the same operation run again, the first one first, including this one. Only one if the
/// operation was never run again.
pub(super) async fn read_retries(
    connection: &mut PgConnection,
    id: OperationId,
) -> Result<Vec<TrackingName>, StoreError> {
    let rows = sqlx::query!(
        r#"WITH RECURSIVE before AS (
               SELECT id, type, retry_of, 0 AS step FROM known_operations(ARRAY[$1::uuid])
                UNION ALL
               SELECT o.id, o.type, o.retry_of, b.step - 1
                 FROM before b
                CROSS JOIN LATERAL known_operations(ARRAY[b.retry_of]) o
                WHERE b.step > -$2::int
           ), behind AS (
               SELECT id, type, 0 AS step FROM known_operations(ARRAY[$1::uuid])
                UNION ALL
               SELECT o.id, o.type, b.step + 1
                 FROM behind b JOIN known_retry o ON o.retry_of = b.id
                WHERE b.step < $2::int
           )
           SELECT id AS "id!", type AS "type!"
             FROM (SELECT id, type, step FROM before UNION SELECT id, type, step FROM behind) chain
            ORDER BY step"#,
        id.0,
        RETRIES
    )
    .fetch_all(connection)
    .or_fail_to("read the retries of an operation")
    .await?;
    let names = rows
        .iter()
        .map(|row| TrackingName::new(&row.r#type, row.id));
    Ok(names.collect())
}

impl Store {
    /// The operations before and behind this one in the lane that it writes, in the order of acceptance, without the
    /// operation itself.
    pub(super) async fn neighbours(&self, id: OperationId) -> Result<Vec<Listed>, StoreError> {
        let ids = sqlx::query_scalar!(
            r#"SELECT operation_id AS "id!" FROM (
                   (SELECT b.operation_id FROM known_payloads(ARRAY[$1::uuid]) p JOIN known_payload b ON b.lane = p.lane
                     WHERE b.operation_id < $1 ORDER BY b.operation_id DESC LIMIT $2)
                    UNION ALL
                   (SELECT b.operation_id FROM known_payloads(ARRAY[$1::uuid]) p JOIN known_payload b ON b.lane = p.lane
                     WHERE b.operation_id > $1 ORDER BY b.operation_id LIMIT $2)) n
                ORDER BY operation_id"#,
            id.0,
            NEIGHBOURS
        )
        .fetch_all(&self.pool)
        .or_fail_to("read the neighbours of an operation")
        .await?;
        self.read_listed(&ids).await
    }
}
