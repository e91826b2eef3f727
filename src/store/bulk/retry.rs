//! Retries failed rows. Each row runs again as a new operation, and then refers to the new operation.

use std::collections::{BTreeSet, HashMap, HashSet};

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Batch, accept::is_accepted};
use crate::{
    domain::OperationId,
    store::{
        NewOperation, Store, StoreError, accept::insert_operations, connect, failures_read, lanes,
        patience::WithTimeout,
    },
};

const ACTION: &str = "send rows again";

/// A failed row, and the new operation that replaces its failed operation.
#[derive(Debug)]
pub struct Retry {
    /// The row's number in the file, from 1.
    pub number: i32,
    /// The operation to replace, to which the row referred when it was read; `None` if the gateway refused the row at
    /// acceptance.
    pub failed: Option<OperationId>,
    /// Whether the row was erased when it was read.
    pub was_erased: bool,
    /// The new operation.
    pub operation: NewOperation,
}

impl Store {
    /// Accepts the operations at the tails of their lanes, in the given order, and makes each row refer to its new
    /// operation. Returns the numbers of the rows whose operation was replaced. A row is skipped if it no longer refers
    /// to the operation to replace. So if two retries run at the same time, only one of them replaces the operation of
    /// a row. A row is also skipped if it has been erased since it was read.
    pub async fn retry_rows(
        &self,
        batch: &Batch,
        retries: &[Retry],
    ) -> Result<BTreeSet<i32>, StoreError> {
        let failed: Vec<Uuid> = retries
            .iter()
            .filter_map(|retry| retry.failed.map(|id| id.0))
            .collect();
        let keys = self.lanes_of(retries, &failed).await?;
        let mut transaction = connect::begin(&self.pool).or_fail_to(ACTION).await?;
        lanes::lock(&mut transaction, &keys)
            .or_fail_to(ACTION)
            .await?;
        let current = lock_rows(&mut transaction, batch, retries)
            .or_fail_to(ACTION)
            .await?;
        let taken: Vec<&Retry> = retries
            .iter()
            .filter(|retry| {
                let read = (retry.failed.map(|id| id.0), retry.was_erased);
                current.get(&retry.number) == Some(&read)
            })
            .collect();
        // Otherwise the new operations would fail as dependents of the failures that they are meant to correct.
        failures_read::record(&mut transaction, &failed, &keys)
            .or_fail_to(ACTION)
            .await?;
        let operations: Vec<&NewOperation> = taken.iter().map(|retry| &retry.operation).collect();
        let transaction_id = connect::id_of(&mut transaction).or_fail_to(ACTION).await?;
        let effects = insert_operations(&mut transaction, &operations)
            .or_fail_to(ACTION)
            .await?;
        point_refused_rows(&mut transaction, batch, &taken)
            .or_fail_to(ACTION)
            .await?;
        if let Err(error) = transaction.commit().or_fail_to(ACTION).await
            && !is_accepted(&self.pool, &transaction_id, &operations).await?
        {
            return Err(error);
        }
        effects.notify(&self.notifier);
        Ok(taken.iter().map(|retry| retry.number).collect())
    }

    /// Returns the lanes of the failed operations and of the new operations. First creates the lanes that do not exist
    /// yet, so that all of them can be locked in the order of their keys.
    async fn lanes_of(
        &self,
        retries: &[Retry],
        failed: &[Uuid],
    ) -> Result<Vec<String>, StoreError> {
        let new: BTreeSet<String> = retries
            .iter()
            .flat_map(|retry| {
                let lanes = &retry.operation.checked.lanes;
                std::iter::once(&lanes.writes).chain(&lanes.reads)
            })
            .map(|lane| lane.as_str().to_owned())
            .collect();
        let new: Vec<String> = new.into_iter().collect();
        sqlx::query!(
            "INSERT INTO lane (key) SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING",
            &new
        )
        .execute(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        let old = sqlx::query!(
            r#"SELECT lane AS "lane!", read_lane FROM known_operations($1)"#,
            failed
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        let old = old
            .into_iter()
            .flat_map(|row| std::iter::once(row.lane).chain(row.read_lane));
        let keys: BTreeSet<String> = old.chain(new).collect();
        Ok(keys.into_iter().collect())
    }
}

/// Locks the rows that are to be retried. Returns their numbers, the operations to which they refer now, and whether they are
/// erased.
async fn lock_rows(
    connection: &mut PgConnection,
    batch: &Batch,
    retries: &[Retry],
) -> Result<HashMap<i32, (Option<Uuid>, bool)>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT number, operation_id, erased_at
           FROM batch_row
          WHERE batch_id = $1 AND number = ANY ($2)
          ORDER BY number
            FOR NO KEY UPDATE",
        batch.id,
        &retries.iter().map(|retry| retry.number).collect::<Vec<_>>()
    )
    .fetch_all(&mut *connection)
    .await?;
    let ids: Vec<Uuid> = rows.iter().filter_map(|row| row.operation_id).collect();
    let erased = sqlx::query_scalar!(
        r#"SELECT operation_id AS "id!" FROM known_payloads($1) WHERE erased_at IS NOT NULL"#,
        &ids
    );
    let erased: HashSet<Uuid> = erased.fetch_all(connection).await?.into_iter().collect();
    let rows = rows.into_iter().map(|row| {
        let of_operation = row.operation_id.is_some_and(|id| erased.contains(&id));
        let is_erased = of_operation || row.erased_at.is_some();
        (row.number, (row.operation_id, is_erased))
    });
    Ok(rows.collect())
}

/// Makes rows that were refused at acceptance refer to their first operation.
async fn point_refused_rows(
    connection: &mut PgConnection,
    batch: &Batch,
    taken: &[&Retry],
) -> Result<(), sqlx::Error> {
    let refused: Vec<_> = taken
        .iter()
        .filter(|retry| retry.failed.is_none())
        .collect();
    sqlx::query!(
        "UPDATE batch_row r
            SET operation_id = n.id, type = NULL, lane = NULL, data = NULL, names = NULL, expires_at = NULL,
                erased_at = NULL, code = NULL, message = NULL
           FROM unnest($2::int[], $3::uuid[]) AS n (number, id)
          WHERE r.batch_id = $1 AND r.number = n.number",
        batch.id,
        &refused.iter().map(|retry| retry.number).collect::<Vec<_>>(),
        &refused.iter().map(|retry| retry.operation.id.0).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await
    .map(drop)
}
