//! Reaching the database, and finding out at the start what would go wrong later.

use std::{
    borrow::Cow,
    str::FromStr,
    time::{Duration, Instant},
};

use sqlx::{
    ConnectOptions, Connection, PgConnection,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{
    RETRY_PAUSE, StoreError,
    examine::examine,
    failed_to, patience,
    pool::{OPENED_WITHIN, Pool, Session, Transaction, UnfitSetting},
};

static MIGRATOR: Migrator = sqlx::migrate!();

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
    /// The database is another one at each statement.
    #[error(
        "DATABASE_URL leads to a pooler in transaction mode, which mixes up sessions: use Postgres itself, or a pooler in session mode"
    )]
    TransactionPooler,
    /// A second connection is not given.
    #[error(
        "DATABASE_URL leads to a pooler that gives no second connection: the gateway needs two, and uses up to 17"
    )]
    TooFewConnections,
    /// Commits there are not durable, texts have no place there, or the like.
    #[error(transparent)]
    Unfit(UnfitSetting),
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

/// Opens a pool, of connections that are as they have to be, and refuses what cannot be made so.
///
/// `statement_timeout` is how long Postgres works on one statement; with one, a wait for a lock is short.
pub async fn connect(
    url: &str,
    connections: u32,
    statement_timeout: Option<Duration>,
) -> Result<Pool, DatabaseProblem> {
    let options = PgConnectOptions::from_str(url)
        .map_err(DatabaseProblem::Url)?
        .application_name("fineract-gateway")
        // A session pooler refuses it.
        .extra_float_digits(None)
        .log_statements(tracing::log::LevelFilter::Off);
    let session = Session::new(statement_timeout);
    examine(&options, &session).await?;
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(OPENED_WITHIN)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let session = session.clone();
            Box::pin(async move {
                let fit = session.begin(connection).await?;
                fit.map_err(|unfit| sqlx::Error::Configuration(Box::new(unfit)))
            })
        })
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > TRUSTED_FOR {
                    patience::within(PING_TIMEOUT, connection.ping()).await?;
                }
                Ok(true)
            })
        })
        .max_lifetime(Duration::from_mins(30))
        .connect_lazy_with(options);
    Ok(pool.into())
}

/// Brings the schema up to this gateway's.
pub async fn migrate(pool: &Pool) -> Result<(), DatabaseProblem> {
    match MIGRATOR.run(pool.inner()).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(_)) => Err(DatabaseProblem::Newer),
        Err(error) => Err(DatabaseProblem::Migration(Box::new(error))),
    }
}

/// Whether the schema is this gateway's, without changing it.
pub async fn require_migrated(pool: &Pool) -> Result<(), DatabaseProblem> {
    match check(pool).await {
        Ok(()) => Ok(()),
        Err(StoreError::Database { source, .. }) if source.as_database_error().is_none() => {
            Err(DatabaseProblem::Unreachable(source))
        }
        Err(_) => Err(DatabaseProblem::NotMigrated),
    }
}

/// Whether the database answers and has every migration of this gateway.
pub(super) async fn check(pool: &Pool) -> Result<(), StoreError> {
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
pub(super) async fn begin(pool: &Pool) -> Result<Transaction, sqlx::Error> {
    begin_with(pool, "BEGIN").await
}

/// Begins a transaction of a batch, which waits for each lock only as long as those behind it can wait.
pub(super) async fn begin_batch(pool: &Pool) -> Result<Transaction, sqlx::Error> {
    // One round trip, as any begin.
    begin_with(pool, "BEGIN; SET LOCAL lock_timeout = '250ms'").await
}

/// Begins a transaction that keeps everybody who accepts from doing so while it waits for its lock.
pub(super) async fn begin_briefly(pool: &Pool) -> Result<Transaction, sqlx::Error> {
    begin_with(pool, "BEGIN; SET LOCAL lock_timeout = '100ms'").await
}

/// Begins a transaction whose first statement may have to wait for one that is as long as itself.
pub(super) async fn begin_patiently(pool: &Pool) -> Result<Transaction, sqlx::Error> {
    begin_with(pool, "BEGIN; SET LOCAL lock_timeout = '20s'").await
}

/// Has a transaction wait for locks no longer than any other does. A `RESET` would give the server's default back, and
/// for longer than the transaction: what each connection has was set on it.
pub(super) async fn wait_no_longer(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("SET LOCAL lock_timeout = '2s'")
        .execute(connection)
        .await
        .map(drop)
}

/// Begins a transaction that sees the database as of one moment, and writes nothing.
pub(super) async fn begin_one_moment(pool: &Pool) -> Result<Transaction, sqlx::Error> {
    begin_with(pool, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
}

async fn begin_with(pool: &Pool, statement: &'static str) -> Result<Transaction, sqlx::Error> {
    past_broken(pool, || Transaction::begin(pool, statement)).await
}

/// Does what may be done twice, a read or a begin, on the next connection where one is broken: after a
/// restart of Postgres that is each pooled one.
pub(super) async fn past_broken<T, F>(
    pool: &Pool,
    mut run: impl FnMut() -> F,
) -> Result<T, sqlx::Error>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    let mut may_be_broken = pool.most();
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
pub(super) async fn has_committed(pool: &Pool, id: &str) -> Result<bool, StoreError> {
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

pub(super) fn code(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error()?.code()
}
