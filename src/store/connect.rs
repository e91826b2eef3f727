//! Connects to the database, migrates it, and begins transactions.

use std::{
    str::FromStr,
    time::{Duration, Instant},
};

use sqlx::{
    ConnectOptions, Connection, PgConnection,
    migrate::MigrateError,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{
    StoreError,
    error::{code, failed_to},
    examine::{DatabaseProblem, examine},
    migrations::{MIGRATOR, compare_migrations, is_undefined_table, newest_migration},
    patience::{self, RETRY_PAUSE},
    pool::{CONNECT_TIMEOUT, Pool, Session, Transaction},
};

/// A connection that was idle for at most this time is used without a check. Other connections are checked, because
/// after a restart of Postgres every pooled connection is broken. A check before each use would cost 40 % of the
/// throughput under load (29,000 instead of 48,000 selects/s).
const TRUSTED_IDLE_TIME: Duration = Duration::from_secs(1);
/// How long the check of a connection may take. After this time, the gateway uses another connection.
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the gateway asks for the status of an unanswered commit while the database is unavailable.
const COMMIT_STATUS_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens a pool in which every connection has the settings that the gateway needs. Returns an error if the database
/// does not allow these settings.
///
/// `statement_timeout` is the longest time that Postgres works on one statement. If it is given, the
/// waits for locks are limited too.
pub async fn connect(
    url: &str,
    connections: u32,
    statement_timeout: Option<Duration>,
) -> Result<Pool, DatabaseProblem> {
    let options = PgConnectOptions::from_str(url)
        .map_err(DatabaseProblem::Url)?
        .application_name("fineract-gateway")
        // This start parameter is not sent, because a session pooler refuses it.
        .extra_float_digits(None)
        .log_statements(tracing::log::LevelFilter::Off);
    let session = Session::new(statement_timeout);
    examine(&options, &session).await?;
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(CONNECT_TIMEOUT)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let session = session.clone();
            Box::pin(async move {
                match session.begin(connection).await?.into_iter().next() {
                    None => Ok(()),
                    Some(unfit) => Err(sqlx::Error::Configuration(Box::new(unfit))),
                }
            })
        })
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > TRUSTED_IDLE_TIME {
                    patience::within(PING_TIMEOUT, connection.ping()).await?;
                }
                Ok(true)
            })
        })
        .max_lifetime(Duration::from_mins(30))
        .connect_lazy_with(options);
    Ok(pool.into())
}

/// Migrates the schema to the version of this gateway.
pub async fn migrate(pool: &Pool) -> Result<(), DatabaseProblem> {
    // A role that may not change the schema, and has nothing to change, needs no right to do so.
    if compare_migrations(pool)
        .await
        .is_ok_and(|migrations| migrations.are_current())
    {
        return require_books(pool).await;
    }
    match MIGRATOR.run(pool.inner()).await {
        Ok(()) => require_books(pool).await,
        Err(MigrateError::VersionMissing(_)) => Err(DatabaseProblem::Newer),
        Err(error) => Err(DatabaseProblem::Migration(Box::new(error))),
    }
}

/// Inserts the row of the table `books` if somebody has emptied all tables. Without this row no operation can be
/// claimed.
async fn require_books(pool: &Pool) -> Result<(), DatabaseProblem> {
    sqlx::query!("INSERT INTO books DEFAULT VALUES ON CONFLICT DO NOTHING")
        .execute(pool)
        .await
        .map(drop)
        .map_err(DatabaseProblem::Unreachable)
}

/// As [`connect`], to a database that must have every migration of this gateway. Does not change the schema.
pub async fn connect_migrated(
    url: &str,
    connections: u32,
    statement_timeout: Option<Duration>,
) -> Result<Pool, DatabaseProblem> {
    let pool = connect(url, connections, statement_timeout).await?;
    require_migrated(&pool).await?;
    Ok(pool)
}

async fn require_migrated(pool: &Pool) -> Result<(), DatabaseProblem> {
    match check(pool).await {
        Ok(()) => Ok(()),
        Err(StoreError::Database { source, .. }) if source.as_database_error().is_none() => {
            Err(DatabaseProblem::Unreachable(source))
        }
        Err(_) => Err(DatabaseProblem::NotMigrated),
    }
}

/// Checks that the database answers and has every migration of this gateway.
pub(super) async fn check(pool: &Pool) -> Result<(), StoreError> {
    let newest = newest_migration();
    let applied = retry_on_broken_connection(pool, || {
        sqlx::query_scalar!(
            "SELECT EXISTS (SELECT FROM _sqlx_migrations WHERE version = $1 AND success) AS \"applied!\"",
            newest
        )
        .fetch_one(pool)
    })
    .await
    .or_else(|error| if is_undefined_table(&error) { Ok(false) } else { Err(error) })
    .map_err(failed_to("read the applied migrations"))?;
    if applied {
        Ok(())
    } else {
        Err(StoreError::Unknown { what: "schema" })
    }
}

/// Begins a transaction.
pub(super) async fn begin(pool: &Pool) -> Result<Transaction, sqlx::Error> {
    begin_with(pool, "BEGIN").await
}

/// Begins the transaction of a batch. The transaction waits only for a short time for a lock, because other batches
/// wait behind it.
pub(super) async fn begin_batch(pool: &Pool) -> Result<Transaction, sqlx::Error> {
    // The two statements need only one round trip, like any other `BEGIN`.
    begin_with(pool, "BEGIN; SET LOCAL lock_timeout = '250ms'").await
}

/// Begins a transaction that must not wait long for its lock, because all acceptances wait as long as it waits.
pub(super) async fn begin_with_short_lock_wait(pool: &Pool) -> Result<Transaction, sqlx::Error> {
    begin_with(pool, "BEGIN; SET LOCAL lock_timeout = '100ms'").await
}

/// Begins a transaction that may have to wait a long time, in its first statement, for another transaction of the same
/// kind.
pub(super) async fn begin_with_long_lock_wait(pool: &Pool) -> Result<Transaction, sqlx::Error> {
    begin_with(pool, "BEGIN; SET LOCAL lock_timeout = '20s'").await
}

/// Sets the wait for locks back to the value that other transactions have. `RESET` cannot be used. It would set the
/// server's default instead of the value that this gateway has set on the connection, and the default would remain
/// after the end of the transaction.
pub(super) async fn restore_lock_timeout(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("SET LOCAL lock_timeout = '2s'")
        .execute(connection)
        .await
        .map(drop)
}

/// Begins a read-only transaction in which all statements see the same snapshot.
pub(super) async fn begin_snapshot(pool: &Pool) -> Result<Transaction, sqlx::Error> {
    begin_with(pool, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
}

async fn begin_with(pool: &Pool, statement: &'static str) -> Result<Transaction, sqlx::Error> {
    retry_on_broken_connection(pool, async || {
        Transaction::begin(pool.acquire().await?, statement).await
    })
    .await
}

/// Runs a statement, and runs it again on the next connection if its connection is broken. Use this function only for a
/// statement that may run twice: a read or a `BEGIN`. After a restart of Postgres, every pooled connection is broken.
pub(super) async fn retry_on_broken_connection<T, F>(
    pool: &Pool,
    mut run: impl FnMut() -> F,
) -> Result<T, sqlx::Error>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    let mut may_be_broken = pool.max_connections();
    loop {
        match run().await {
            Err(error) if may_be_broken > 0 && is_broken(&error) => may_be_broken -= 1,
            result => return result,
        }
    }
}

/// Whether the connection failed, or the Postgres process behind the connection (SQLSTATE 57P…: shutdown or crash).
fn is_broken(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_)) || code(error).is_some_and(|code| code.starts_with("57P"))
}

/// The id of a transaction, with which [`has_committed`] finds out what became of it.
pub(super) async fn id_of(transaction: &mut PgConnection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT pg_current_xact_id()::text AS "id!""#)
        .fetch_one(transaction)
        .await
}

/// Whether a transaction has been committed. Call this function if Postgres did not answer the commit. It waits until
/// the transaction has ended, and returns an error if the database stays unavailable.
///
/// After a crash, Postgres may assign the id of a lost transaction to another transaction. Postgres then reports the
/// status of the other transaction. Where this matters, also check that the rows exist.
pub(super) async fn has_committed(pool: &Pool, id: &str) -> Result<bool, StoreError> {
    /// `invalid_parameter_value`: Postgres has not assigned this id yet.
    const FORGOTTEN: &str = "22023";
    let mut give_up = Instant::now() + COMMIT_STATUS_TIMEOUT;
    loop {
        let asking = sqlx::query_scalar!("SELECT pg_xact_status($1::text::xid8)", id);
        match patience::within(COMMIT_STATUS_TIMEOUT, asking.fetch_one(pool)).await {
            Ok(status) if status.as_deref() == Some("in progress") => {
                give_up = Instant::now() + COMMIT_STATUS_TIMEOUT;
            }
            Ok(status) => return Ok(status.as_deref() == Some("committed")),
            Err(error) if code(&error).as_deref() == Some(FORGOTTEN) => return Ok(false),
            Err(error) if Instant::now() >= give_up => {
                return Err(failed_to("report whether a transaction was committed")(
                    error,
                ));
            }
            Err(_) => {}
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}
