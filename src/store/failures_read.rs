//! Noting that failures were read: what is accepted later is by someone who knows of them.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Asking, Store, StoreError, connect, lanes};

const ACTION: &str = "note that failures were read";

impl Store {
    /// Notes on their lanes that the failures of these operations, or those that they fell with, were read.
    pub(super) async fn note_failures_read(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        let unread = sqlx::query_scalar!(
            "SELECT DISTINCT l.key
               FROM result r
               JOIN operation o ON o.id = r.operation_id
               JOIN lane l ON l.key IN (o.lane, o.read_lane)
              WHERE r.operation_id = ANY ($1)
                AND r.marked
                AND l.failed_at <= o.ended_at
                AND NOT l.failure_read",
            ids
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        if unread.is_empty() {
            return Ok(());
        }
        let mut transaction = connect::begin(&self.pool).or_fail_to(ACTION).await?;
        lanes::lock(&mut transaction, &unread)
            .or_fail_to(ACTION)
            .await?;
        note(&mut transaction, ids, &unread)
            .or_fail_to(ACTION)
            .await?;
        transaction.commit().or_fail_to(ACTION).await
    }
}

/// Notes it on lanes that are locked.
pub(super) async fn note(
    connection: &mut PgConnection,
    ids: &[Uuid],
    lanes: &[String],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE lane l
            SET failure_read = true
           FROM operation o
          WHERE o.id = ANY ($1)
            AND l.key IN (o.lane, o.read_lane)
            AND l.key = ANY ($2)
            AND l.failed_at <= o.ended_at
            AND NOT l.failure_read",
        ids,
        lanes
    )
    .execute(connection)
    .await
    .map(drop)
}
