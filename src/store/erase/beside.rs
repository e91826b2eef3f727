//! What repeats the texts of operations: rows of batches that were refused, and what receivers of webhooks answered.

use sqlx::PgConnection;

use super::{ACTION, subject::Subject};
use crate::{
    domain::erased,
    store::{StoreError, patience::WithTimeout},
};

/// Erases what is kept of rows that were refused, payloads or names: of the client, of its loans, and of loans that were to be
/// created for it, with what the same batch was to do with these. Returns how many.
///
/// The database folds only the case of the letters that its locale knows, so the external id is also compared as it is.
pub(super) async fn erase_refused_rows(
    connection: &mut PgConnection,
    subject: &Subject,
    external_id: &str,
) -> Result<usize, StoreError> {
    let refused = sqlx::query!(
        r#"WITH refused AS MATERIALIZED (
               SELECT batch_id, number, lane, data::text AS data, names::text AS names,
                      COALESCE(data, names) ->> 'clientId' AS client
                 FROM batch_row
                WHERE data IS NOT NULL OR names IS NOT NULL
           )
           SELECT batch_id AS "batch_id!", number AS "number!", data, names
             FROM refused
            WHERE lane = ANY ($1)
               OR (batch_id, lane) IN (SELECT batch_id, lane FROM refused
                                        WHERE 'client:' || lower(client) = $2 OR client = $3)
            ORDER BY batch_id, number"#,
        &subject.lanes(),
        subject.client,
        external_id
    )
    .fetch_all(&mut *connection)
    .or_fail_to(ACTION)
    .await?;
    for row in &refused {
        sqlx::query!(
            "UPDATE batch_row SET data = $3::text::json, names = $4::text::json,
                                  erased_at = CASE WHEN data IS NOT NULL THEN COALESCE(erased_at, now()) END
              WHERE batch_id = $1 AND number = $2",
            row.batch_id,
            row.number,
            row.data.as_deref().map(erased),
            row.names.as_deref().map(erased)
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
