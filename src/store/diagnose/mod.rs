//! Reads, for the command `doctor`, what the database shows about itself. Changes nothing.
//!
//! The gateway itself refuses an unsuitable database at the first problem (`examine`). This module also works on a
//! database that is unsuitable, so that `doctor` can report all problems at once.

mod shown;

use std::{cmp::Ordering, fmt, io, str::FromStr as _, time::Duration};

use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};

pub use self::shown::{
    AuditGuard, LastVerdict, OldestTransaction, Rights, SchemaVersion, Server, Standbys,
};
use super::{
    StoreError,
    error::{code, failed_to},
    examine::{DatabaseProblem, is_timeout, refuse_transaction_pooler},
    migrations::newest_migration,
    patience,
    pool::{Session, UnfitSetting},
};

/// How long each step may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection to the database, with which `doctor` examines the database.
pub struct Diagnosis {
    connection: PgConnection,
    options: PgConnectOptions,
    /// Whether the database has not answered a statement in time. The connection is then of no further use.
    hangs: bool,
}

/// Without the options, because they contain the password.
impl fmt::Debug for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Diagnosis")
            .field("hangs", &self.hangs)
            .finish_non_exhaustive()
    }
}

impl Diagnosis {
    /// Opens a connection.
    pub async fn connect(url: &str) -> Result<Self, DatabaseProblem> {
        let options = PgConnectOptions::from_str(url)
            .map_err(DatabaseProblem::Url)?
            .application_name("fineract-gateway doctor")
            .extra_float_digits(None)
            .disable_statement_logging();
        let connection = patience::within(STEP_TIMEOUT, options.connect())
            .await
            .map_err(DatabaseProblem::Unreachable)?;
        Ok(Self {
            connection,
            options,
            hangs: false,
        })
    }

    /// Reads what the server shows about itself. Call this before [`unfit_settings`](Self::unfit_settings), which
    /// changes settings of the connection.
    pub async fn server(&mut self) -> Result<Server, StoreError> {
        self.ask("show its settings", async |connection| {
            sqlx::query_as!(
                Server,
                r#"SELECT current_setting('server_version') AS "version!",
                          current_setting('server_version_num')::int AS "version_number!",
                          current_setting('fsync')::bool AS "fsync!",
                          current_setting('full_page_writes')::bool AS "full_page_writes!",
                          current_setting('synchronous_commit') AS "default_synchronous_commit!",
                          clock_timestamp() AS "now!",
                          COALESCE((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)
                              AS "is_encrypted!",
                          -- No address: a Unix socket.
                          COALESCE(inet_client_addr() = inet_server_addr()
                                   OR inet_client_addr() <<= inet '127.0.0.0/8', true) AS "is_local!""#
            )
            .fetch_one(connection)
            .await
        })
        .await
    }

    /// Sets the settings of the gateway on the connection. Returns each setting that has not the value that the gateway
    /// needs.
    pub async fn unfit_settings(&mut self) -> Result<Vec<UnfitSetting>, StoreError> {
        let session = Session::new(Some(STEP_TIMEOUT));
        self.ask("set the settings of a connection", async |connection| {
            session.begin(connection).await
        })
        .await
    }

    /// Opens a second connection, and checks that each connection has its own session of Postgres.
    pub async fn check_pooler(&mut self) -> Result<(), DatabaseProblem> {
        if self.hangs {
            let timed_out = io::Error::from(io::ErrorKind::TimedOut);
            return Err(DatabaseProblem::Examination(timed_out.into()));
        }
        let mut second = patience::within(STEP_TIMEOUT, self.options.connect())
            .await
            .map_err(DatabaseProblem::Unreachable)?;
        refuse_transaction_pooler(&mut self.connection, &mut second).await
    }

    /// Counts the standbys that are connected. A base backup that is being taken is no standby.
    pub async fn standbys(&mut self) -> Result<Standbys, StoreError> {
        self.ask("show its standbys", async |connection| {
            sqlx::query_as!(
                Standbys,
                r#"SELECT current_setting('synchronous_standby_names') AS "synchronous_names!",
                          count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')) AS "synchronous!",
                          count(*) FILTER (WHERE sync_state IN ('async', 'potential')) AS "asynchronous!",
                          count(*) FILTER (WHERE sync_state IS NULL) AS "hidden!"
                     FROM pg_stat_replication
                    WHERE state IS DISTINCT FROM 'backup'"#
            )
            .fetch_one(connection)
            .await
        })
        .await
    }

    /// Finds the oldest transaction that keeps dead rows of this database from being removed.
    pub async fn oldest_transaction(&mut self) -> Result<OldestTransaction, StoreError> {
        let row = self
            .ask("show open transactions", async |connection| {
                sqlx::query!(
                    r#"SELECT EXTRACT(EPOCH FROM now() - oldest.began)::float8 AS age, oldest.pid,
                              pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS "sees_all!"
                         FROM (SELECT) one
                         LEFT JOIN LATERAL (
                              SELECT xact_start AS began, pid FROM pg_stat_activity
                               WHERE datname = current_database() AND pid <> pg_backend_pid()
                                 AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)
                               UNION ALL
                              SELECT prepared, NULL FROM pg_prepared_xacts WHERE database = current_database()
                               ORDER BY began
                               LIMIT 1) oldest ON true"#
                )
                .fetch_one(connection)
                .await
            })
            .await?;
        Ok(OldestTransaction {
            age: Duration::try_from_secs_f64(row.age.unwrap_or_default()).unwrap_or_default(),
            pid: row.pid,
            sees_all: row.sees_all,
        })
    }

    /// Reads the rights of the role on the tables and functions of the current schema.
    pub async fn rights(&mut self) -> Result<Rights, StoreError> {
        self.ask("show the rights of the role", async |connection| {
            sqlx::query_as!(
                Rights,
                r#"SELECT current_schema()::text AS schema,
                          COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false) AS "may_create!",
                          NOT EXISTS (SELECT FROM pg_class
                                       WHERE relnamespace = current_schema()::regnamespace
                                         AND relkind IN ('r', 'p', 'v') AND NOT pg_has_role(relowner, 'USAGE')) AS "owns_all!",
                          ARRAY(SELECT wanted || ' on ' || relname
                                  FROM pg_class, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) wanted
                                 WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v')
                                   -- The partitions of the archive are reached by their tables.
                                   AND NOT relispartition
                                   -- The gateway writes this table only when it migrates.
                                   AND (relname <> '_sqlx_migrations' OR wanted = 'SELECT')
                                   AND (relname NOT IN ('audit', 'audit_seal') OR wanted IN ('SELECT', 'INSERT'))
                                   AND NOT has_table_privilege(pg_class.oid, wanted)
                                 UNION ALL
                                SELECT 'EXECUTE on ' || proname FROM pg_proc
                                 WHERE pronamespace = current_schema()::regnamespace
                                   -- A trigger that exists needs no right to execute its function.
                                   AND prorettype <> 'trigger'::regtype
                                   AND NOT has_function_privilege(pg_proc.oid, 'EXECUTE')
                                 ORDER BY 1) AS "missing!""#
            )
            .fetch_one(connection)
            .await
        })
        .await
    }

    /// Reads whether changes of the audit are refused, and whether the role could switch that off.
    pub async fn audit_guard(&mut self) -> Result<AuditGuard, StoreError> {
        self.ask("show the triggers of the audit", async |connection| {
            sqlx::query_as!(
                AuditGuard,
                r#"SELECT count(*) = 2 AS "is_on!", bool_or(pg_has_role(relowner, 'USAGE')) AS may_switch_off
                     FROM pg_trigger
                     JOIN pg_class ON pg_class.oid = tgrelid
                    WHERE tgrelid IN (to_regclass('audit'), to_regclass('audit_seal'))
                      AND tgname = 'audit_is_final' AND tgenabled = 'A'"#
            )
            .fetch_one(connection)
            .await
        })
        .await
    }

    /// Compares the version of the schema with this gateway.
    pub async fn schema_version(&mut self) -> Result<SchemaVersion, StoreError> {
        /// `undefined_table`: nothing was migrated yet.
        const UNDEFINED: &str = "42P01";
        let applied = self
            .ask("show the applied migrations", async |connection| {
                let newest =
                    sqlx::query_scalar!("SELECT max(version) FROM _sqlx_migrations WHERE success");
                match newest.fetch_one(connection).await {
                    Err(error) if code(&error).as_deref() == Some(UNDEFINED) => Ok(None),
                    result => result,
                }
            })
            .await?;
        Ok(match applied.cmp(&Some(newest_migration())) {
            Ordering::Less => SchemaVersion::Older,
            Ordering::Equal => SchemaVersion::Current,
            Ordering::Greater => SchemaVersion::Newer,
        })
    }

    /// Reads the last verdicts on keys. The database must be migrated.
    pub async fn key_verdicts(&mut self) -> Result<Vec<LastVerdict>, StoreError> {
        self.ask("show the verdicts on keys", async |connection| {
            sqlx::query_as!(
                LastVerdict,
                "SELECT command, honoured, header, process_start FROM key_probe"
            )
            .fetch_all(connection)
            .await
        })
        .await
    }

    /// Asks the database, unless it has left an earlier question unanswered.
    async fn ask<T>(
        &mut self,
        action: &'static str,
        question: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, StoreError> {
        let longest = if self.hangs {
            Duration::ZERO
        } else {
            STEP_TIMEOUT
        };
        let answer = patience::within(longest, question(&mut self.connection)).await;
        self.hangs |= answer.as_ref().is_err_and(is_timeout);
        answer.map_err(failed_to(action))
    }
}
