//! Checks at the start of the gateway that the database is suitable for it.

use std::{io, time::Duration};

use sqlx::{
    ConnectOptions, Connection, Executor, PgConnection, Row, migrate::MigrateError,
    postgres::PgConnectOptions,
};

use super::{
    error::code,
    patience,
    pool::{Session, UnfitSetting},
};

/// Why the gateway cannot work on this database, in one line for the operator who starts the gateway.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseProblem {
    /// `DATABASE_URL` cannot be parsed.
    #[error("DATABASE_URL is no Postgres URL")]
    Url(#[source] sqlx::Error),
    /// No database answers at the address in `DATABASE_URL`.
    #[error("the database of DATABASE_URL cannot be reached")]
    Unreachable(#[source] sqlx::Error),
    /// Statements of one connection reach different sessions of Postgres.
    #[error(
        "DATABASE_URL leads to a pooler in transaction mode, which mixes up sessions: use Postgres itself, or a pooler in session mode"
    )]
    TransactionPooler,
    /// The pooler grants only one connection.
    #[error(
        "DATABASE_URL leads to a pooler that gives no second connection: the gateway needs two, and uses up to 17"
    )]
    TooFewConnections,
    /// A setting of the database is not as the gateway needs it.
    #[error(transparent)]
    Unfit(UnfitSetting),
    /// The schema is older than this gateway.
    #[error("the database is not migrated: run `fineract-gateway migrate`")]
    NotMigrated,
    /// The schema is newer than this gateway.
    #[error("the database was migrated by a newer gateway: start the newer gateway")]
    Newer,
    /// A migration failed.
    #[error("the database cannot be migrated")]
    Migration(#[source] Box<MigrateError>),
    /// The database answered, but the check of its settings failed.
    #[error("the database cannot be examined")]
    Examination(#[source] sqlx::Error),
}

/// How long each step of the check may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// Checks that a connection has the settings that the gateway needs, and that each connection has its own session of
/// Postgres.
pub(super) async fn examine(
    options: &PgConnectOptions,
    session: &Session,
) -> Result<(), DatabaseProblem> {
    let options = options.clone().disable_statement_logging();
    let connecting = || patience::within(STEP_TIMEOUT, options.connect());
    let mut first = connecting().await.map_err(DatabaseProblem::Unreachable)?;
    let unfit = patience::within(STEP_TIMEOUT, session.begin(&mut first))
        .await
        .map_err(DatabaseProblem::Examination)?;
    if let Some(unfit) = unfit.into_iter().next() {
        return Err(DatabaseProblem::Unfit(unfit));
    }
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

/// Refuses a pooler in transaction mode, because such a pooler would mix up the results of queries without an error.
/// The gateway detects such a pooler if two open connections have the same backend (server process of Postgres), or if
/// the backend of one connection changes.
pub(super) async fn refuse_transaction_pooler(
    first: &mut PgConnection,
    second: &mut PgConnection,
) -> Result<(), DatabaseProblem> {
    /// `protocol_violation`: `PgBouncer` in statement mode answers this to a `BEGIN`.
    const NO_TRANSACTIONS: &str = "08P01";
    let before = backend(first, "SELECT pg_backend_pid()")
        .await
        .map_err(DatabaseProblem::Examination)?;
    // The open transaction keeps its backend. With a pooler in transaction mode, this may be the backend of the first
    // connection.
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

/// The process id of the backend that answers the query.
async fn backend(connection: &mut PgConnection, query: &'static str) -> Result<i32, sqlx::Error> {
    let asking = connection.fetch_one(sqlx::raw_sql(query));
    patience::within(STEP_TIMEOUT, asking).await?.try_get(0)
}

pub(super) fn is_timeout(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut)
}
