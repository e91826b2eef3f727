//! Finding out at the start what would go wrong later.

use std::{io, time::Duration};

use sqlx::{ConnectOptions, Connection, Executor, PgConnection, Row, postgres::PgConnectOptions};

use super::{
    connect::{DatabaseProblem, code},
    patience,
    pool::Session,
};

/// How long the database is waited for while it is examined.
const EXAMINED_WITHIN: Duration = Duration::from_secs(10);

/// Whether connections there are as they have to be, and one session each.
pub(super) async fn examine(
    options: &PgConnectOptions,
    session: &Session,
) -> Result<(), DatabaseProblem> {
    let options = options.clone().disable_statement_logging();
    let connecting = || patience::within(EXAMINED_WITHIN, options.connect());
    let mut first = connecting().await.map_err(DatabaseProblem::Unreachable)?;
    patience::within(EXAMINED_WITHIN, session.begin(&mut first))
        .await
        .map_err(DatabaseProblem::Examination)?
        .map_err(DatabaseProblem::Unfit)?;
    let mut second = connecting().await.map_err(DatabaseProblem::Unreachable)?;
    refuse_transaction_pooler(&mut first, &mut second).await?;
    for connection in [first, second] {
        connection
            .close()
            .await
            .map_err(DatabaseProblem::Examination)?;
    }
    Ok(())
}

/// Two live connections that share a backend, or one that changes it, prove a pooler in transaction mode: it would give
/// other queries' results, silently.
async fn refuse_transaction_pooler(
    first: &mut PgConnection,
    second: &mut PgConnection,
) -> Result<(), DatabaseProblem> {
    /// `protocol_violation`, as `PgBouncer` says in statement mode.
    const NO_TRANSACTIONS: &str = "08P01";
    let before = backend(first, "SELECT pg_backend_pid()")
        .await
        .map_err(DatabaseProblem::Examination)?;
    // The transaction keeps the backend that it begins on, be that the first one's.
    let other = match backend(second, "BEGIN; SELECT pg_backend_pid()").await {
        Ok(other) => other,
        Err(error) if is_timeout(&error) => return Err(DatabaseProblem::TooFewConnections),
        Err(error) if code(&error).as_deref() == Some(NO_TRANSACTIONS) => {
            return Err(DatabaseProblem::TransactionPooler);
        }
        Err(error) => return Err(DatabaseProblem::Examination(error)),
    };
    if before == other {
        return Err(DatabaseProblem::TransactionPooler);
    }
    let after = backend(first, "SELECT pg_backend_pid()")
        .await
        .map_err(DatabaseProblem::Examination)?;
    if before == after {
        Ok(())
    } else {
        Err(DatabaseProblem::TransactionPooler)
    }
}

/// The backend that answers a query for it.
async fn backend(connection: &mut PgConnection, query: &'static str) -> Result<i32, sqlx::Error> {
    let asking = connection.fetch_one(sqlx::raw_sql(query));
    patience::within(EXAMINED_WITHIN, asking).await?.try_get(0)
}

fn is_timeout(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut)
}
