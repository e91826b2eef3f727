//! How a sabotaged store settles: whoever comes writes, unless the operation has ended.

use sqlx::PgConnection;

use super::Completion;
use crate::sabotage::{self, Sabotage};

/// Makes each settlement's attempt the one that holds its operation.
pub(super) async fn take_over(
    connection: &mut PgConnection,
    batch: &[Completion],
) -> Result<(), sqlx::Error> {
    let statement = "UPDATE operation
                        SET attempt = $2, state = 'running', due_at = now()
                      WHERE id = $1 AND state IN ('ready', 'running', 'parked')";
    for_each(connection, batch, statement).await
}

/// The next attempt is numbered after the last one that was made, as if nobody had taken over.
pub(super) async fn number_on(
    connection: &mut PgConnection,
    batch: &[Completion],
) -> Result<(), sqlx::Error> {
    let statement = "UPDATE operation o
                        SET attempt = greatest($2, (
                                SELECT max(a.number) FROM attempt a WHERE a.operation_id = o.id))
                      WHERE o.id = $1 AND o.state IN ('ready', 'parked')";
    for_each(connection, batch, statement).await
}

/// Executes a statement with each settlement's operation and attempt.
async fn for_each(
    connection: &mut PgConnection,
    batch: &[Completion],
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
