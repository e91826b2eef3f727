//! What repeats the texts of operations: rows of batches that were refused, and what receivers of webhooks answered.

use sqlx::PgConnection;

use super::{ACTION, subject::Subject};
use crate::{
    domain::erased,
    store::{StoreError, patience::WithTimeout},
};

/// Erases the payloads of rows that were refused: of the client, of its loans, and of loans that were to be created for it, with
/// what the same batch was to do with these. Returns how many.
pub(super) async fn erase_refused_rows(
    connection: &mut PgConnection,
    subject: &Subject,
) -> Result<usize, StoreError> {
    let refused = sqlx::query!(
        r#"SELECT batch_id, number, data::text AS "data!"
             FROM batch_row
            WHERE data IS NOT NULL
              AND (lane = ANY ($1)
                   OR (batch_id, lane) IN (SELECT batch_id, lane FROM batch_row
                                            WHERE 'client:' || lower(data ->> 'clientId') = $2))"#,
        &subject.lanes(),
        subject.client
    )
    .fetch_all(&mut *connection)
    .or_fail_to(ACTION)
    .await?;
    for row in &refused {
        sqlx::query!(
            "UPDATE batch_row SET data = $3::text::json, erased_at = COALESCE(erased_at, now())
              WHERE batch_id = $1 AND number = $2 AND data IS NOT NULL",
            row.batch_id,
            row.number,
            erased(&row.data)
        )
        .execute(&mut *connection)
        .or_fail_to(ACTION)
        .await?;
    }
    Ok(refused.len())
}

/// Forgets what receivers of webhooks answered, also when the event is gone.
pub(super) async fn clear_responses(
    connection: &mut PgConnection,
    subject: &Subject,
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE webhook_delivery d SET response = NULL
          WHERE d.response IS NOT NULL
            AND (d.lane = ANY ($2) OR d.number IN (SELECT number FROM event WHERE operation_id = ANY ($1)))",
        &subject.operations,
        &subject.lanes()
    )
    .execute(connection)
    .or_fail_to(ACTION)
    .await
    .map(drop)
}
