//! Reaching the database, and finding out at the start what would go wrong later.

use std::{
    borrow::Cow,
    str::FromStr,
    time::{Duration, Instant},
};

use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool, Postgres, Transaction,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{RETRY_PAUSE, StoreError, failed_to, patience};

static MIGRATOR: Migrator = sqlx::migrate!();

/// How long a request waits for a connection before it is told that the database is away.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a connection is trusted after its last use. After a restart of Postgres each pooled one is
/// broken; asking each time, also under load, would cost 40 % (29,000 against 48,000 selects/s).
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// How long it is asked; another one takes its place.
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a commit whose answer got lost is asked for while the database is away.
const COMMIT_ASKED_FOR: Duration = Duration::from_secs(10);

/// Why the gateway cannot work on this database: one line for whoever starts it.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseProblem {
    /// `DATABASE_URL` cannot be read.
    #[error("DATABASE_URL is no Postgres URL")]
    Url(#[source] sqlx::Error),
    /// Nobody answers there.
    #[error("the database of DATABASE_URL cannot be reached")]
    Unreachable(#[source] sqlx::Error),
    /// Two connections share one backend.
    #[error(
        "DATABASE_URL leads to a transaction pooler, which mixes up sessions: use Postgres itself or a session pooler"
    )]
    TransactionPooler,
    /// The schema is older than this gateway.
    #[error("the database is not migrated: run `fineract-gateway migrate`")]
    NotMigrated,
    /// The schema is newer than this gateway.
    #[error("the database was migrated by a newer gateway: start that one")]
    Newer,
    /// A migration failed.
    #[error("the database cannot be migrated")]
    Migration(#[source] Box<MigrateError>),
    /// The database answered, but not to this.
    #[error("the database cannot be examined")]
    Examination(#[source] sqlx::Error),
}

/// Opens a pool and refuses a transaction pooler (`PgBouncer`), which gives other queries' results,
/// silently.
///
/// `statement_timeout` is how long Postgres works on one statement; with one, a wait for a lock is short.
pub async fn connect(
    url: &str,
    connections: u32,
    statement_timeout: Option<Duration>,
) -> Result<PgPool, DatabaseProblem> {
    let statement_millis = statement_timeout
        .unwrap_or_default()
        .as_millis()
        .to_string();
    // A migration waits for as long as it takes.
    let lock_millis = statement_timeout
        .map_or(Duration::ZERO, |_| patience::LOCK_TIMEOUT)
        .as_millis()
        .to_string();
    let options = PgConnectOptions::from_str(url)
        .map_err(DatabaseProblem::Url)?
        .application_name("fineract-gateway")
        .options([
            ("synchronous_commit", "on"),
            // A plan that was made while a table was small would read all of it until it is analyzed.
            ("enable_seqscan", "off"),
            ("jit", "off"),
            // Whoever counts much leaves the other cores to those that accept.
            ("max_parallel_workers_per_gather", "0"),
            ("idle_in_transaction_session_timeout", "10s"),
            ("statement_timeout", &statement_millis),
            ("lock_timeout", &lock_millis),
        ])
        .log_statements(tracing::log::LevelFilter::Off);
    refuse_transaction_pooler(&options).await?;
    Ok(PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > TRUSTED_FOR {
                    patience::within(PING_TIMEOUT, connection.ping()).await?;
                }
                Ok(true)
            })
        })
        .max_lifetime(Duration::from_mins(30))
        .connect_lazy_with(options))
}

/// Two live connections that report one backend prove a transaction pooler.
async fn refuse_transaction_pooler(options: &PgConnectOptions) -> Result<(), DatabaseProblem> {
    use sqlx::{Executor, Row};

    let mut backends = Vec::new();
    let mut connections = Vec::new();
    for _ in 0..2 {
        let mut connection = options
            .connect()
            .await
            .map_err(DatabaseProblem::Unreachable)?;
        let row = connection
            .fetch_one(sqlx::raw_sql("SELECT pg_backend_pid()"))
            .await
            .map_err(DatabaseProblem::Examination)?;
        backends.push(
            row.try_get::<i32, _>(0)
                .map_err(DatabaseProblem::Examination)?,
        );
        connections.push(connection);
    }
    for connection in connections {
        connection
            .close()
            .await
            .map_err(DatabaseProblem::Examination)?;
    }
    match backends.as_slice() {
        [first, second] if first == second => Err(DatabaseProblem::TransactionPooler),
        _ => Ok(()),
    }
}

/// Brings the schema up to this gateway's.
pub async fn migrate(pool: &PgPool) -> Result<(), DatabaseProblem> {
    match MIGRATOR.run(pool).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(_)) => Err(DatabaseProblem::Newer),
        Err(error) => Err(DatabaseProblem::Migration(Box::new(error))),
    }
}

/// Whether the schema is this gateway's, without changing it.
pub async fn require_migrated(pool: &PgPool) -> Result<(), DatabaseProblem> {
    match check(pool).await {
        Ok(()) => Ok(()),
        Err(StoreError::Database { source, .. }) if source.as_database_error().is_none() => {
            Err(DatabaseProblem::Unreachable(source))
        }
        Err(_) => Err(DatabaseProblem::NotMigrated),
    }
}

/// Whether the database answers and has every migration of this gateway.
pub(super) async fn check(pool: &PgPool) -> Result<(), StoreError> {
    let newest = MIGRATOR
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or_default();
    let applied = past_broken(pool, || {
        sqlx::query_scalar!(
            "SELECT EXISTS (SELECT FROM _sqlx_migrations WHERE version = $1 AND success) AS \"applied!\"",
            newest
        )
        .fetch_one(pool)
    })
    .await
    .or_else(|error| if is_undefined_table(&error) { Ok(false) } else { Err(error) })
    .map_err(failed_to("read its migrations"))?;
    if applied {
        Ok(())
    } else {
        Err(StoreError::Unknown { what: "schema" })
    }
}

fn is_undefined_table(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| code == "42P01")
}

/// Begins a transaction.
pub(super) async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    begin_with(pool, "BEGIN").await
}

/// Begins a transaction of a batch, which waits for each lock only as long as those behind it can wait.
pub(super) async fn begin_batch(
    pool: &PgPool,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    // One round trip, as any begin.
    begin_with(pool, "BEGIN; SET LOCAL lock_timeout = '250ms'").await
}

/// Begins a transaction that keeps everybody who accepts from doing so while it waits for its lock.
pub(super) async fn begin_briefly(
    pool: &PgPool,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    begin_with(pool, "BEGIN; SET LOCAL lock_timeout = '100ms'").await
}

/// Begins a transaction whose first statement may have to wait for one that is as long as itself.
pub(super) async fn begin_patiently(
    pool: &PgPool,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    begin_with(pool, "BEGIN; SET LOCAL lock_timeout = '20s'").await
}

/// Has a transaction wait for locks no longer than any other does.
pub(super) async fn wait_no_longer(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("RESET lock_timeout")
        .execute(connection)
        .await
        .map(drop)
}

/// Begins a transaction that sees the database as of one moment, and writes nothing.
pub(super) async fn begin_one_moment(
    pool: &PgPool,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    begin_with(pool, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
}

/// Begins a transaction as `statement` says.
///
/// In a task of its own: of a `BEGIN` that is given up before its answer, sqlx 0.9 hands the connection to
/// the next one in the middle of that transaction, whose commits are none then (its issue 4393).
async fn begin_with(
    pool: &PgPool,
    statement: &'static str,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let pool = pool.clone();
    #[expect(
        clippy::disallowed_methods,
        reason = "it ends by itself, and takes back what nobody waits for"
    )]
    let beginning =
        tokio::spawn(async move { past_broken(&pool, || pool.begin_with(statement)).await });
    beginning.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}

/// Does what may be done twice, a read or a begin, on the next connection where one is broken: after a
/// restart of Postgres that is each pooled one.
pub(super) async fn past_broken<T, F>(
    pool: &PgPool,
    mut run: impl FnMut() -> F,
) -> Result<T, sqlx::Error>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    let mut may_be_broken = pool.size();
    loop {
        match run().await {
            Err(error) if may_be_broken > 0 && is_broken(&error) => may_be_broken -= 1,
            result => return result,
        }
    }
}

/// Whether it is the connection that failed, or the backend behind it (SQLSTATE class 57P: shutdown, crash).
fn is_broken(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_)) || code(error).is_some_and(|code| code.starts_with("57P"))
}

/// Whether a transaction whose commit was not answered has taken place: waits until it is over. Fails
/// when the database stays away.
///
/// A crash of Postgres may forget a transaction and give its id to another one, whose end this tells
/// then: where that matters, look at the rows as well.
pub(super) async fn has_committed(pool: &PgPool, id: &str) -> Result<bool, StoreError> {
    /// `invalid_parameter_value`: no transaction has had this id yet.
    const FORGOTTEN: &str = "22023";
    let mut give_up = Instant::now() + COMMIT_ASKED_FOR;
    loop {
        let asking = sqlx::query_scalar!("SELECT pg_xact_status($1::text::xid8)", id);
        match patience::within(COMMIT_ASKED_FOR, asking.fetch_one(pool)).await {
            Ok(status) if status.as_deref() == Some("in progress") => {
                give_up = Instant::now() + COMMIT_ASKED_FOR;
            }
            Ok(status) => return Ok(status.as_deref() == Some("committed")),
            Err(error) if code(&error).as_deref() == Some(FORGOTTEN) => return Ok(false),
            Err(error) if Instant::now() >= give_up => {
                return Err(failed_to("say whether a transaction was committed")(error));
            }
            Err(_) => {}
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

fn code(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error()?.code()
}
