//! Completions of a gateway with the sabotage `NoFence`. Without the fence, the completion of every attempt is written,
//! unless the operation has ended.

use sqlx::PgConnection;

use super::Completion;
use crate::sabotage::{self, Sabotage};

/// Makes the attempt that completes an operation the owner of the operation, even if another worker owns it now.
pub(super) async fn take_over(
    connection: &mut PgConnection,
    batch: &[&Completion],
) -> Result<(), sqlx::Error> {
    let statement = "UPDATE operation
                        SET attempt = $2, state = 'running', due_at = now()
                      WHERE id = $1 AND state IN ('ready', 'running', 'parked')";
    for_each(connection, batch, statement).await
}

/// Raises the attempt number of each operation to the number of its last committed attempt, because `take_over` may
/// have lowered it.
pub(super) async fn number_on(
    connection: &mut PgConnection,
    batch: &[&Completion],
) -> Result<(), sqlx::Error> {
    let statement = "UPDATE operation o
                        SET attempt = greatest($2, (
                                SELECT max(a.number) FROM attempt a WHERE a.operation_id = o.id))
                      WHERE o.id = $1 AND o.state IN ('ready', 'parked')";
    for_each(connection, batch, statement).await
}

/// Executes a statement with the operation and the attempt number of each completion.
async fn for_each(
    connection: &mut PgConnection,
    batch: &[&Completion],
    statement: &'static str,
) -> Result<(), sqlx::Error> {
    if !sabotage::is(Sabotage::NoFence) {
        return Ok(());
    }
    for row in batch {
        #[expect(
            clippy::disallowed_methods,
            reason = "not in the product: .sqlx knows the product's queries only"
        )]
        sqlx::query(statement)
            .bind(row.id.0)
            .bind(row.attempt)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
