//! The state of the whole system, as far as the database knows it.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Count, CountBy, OperationFilter, StateFilter, list::ListError};
use crate::store::{Store, StoreError, patience::WithTimeout};

const ACTION: &str = "read the status of the system";

/// The state of the queue and of the database.
#[derive(Debug, JsonSchema, Serialize)]
pub struct SystemStatus {
    /// The operations that have not ended, by the time since their acceptance.
    pub backlog: Backlog,
    /// Since when the operation that has been runnable for the longest time could run. `None`: none is runnable.
    pub oldest_runnable_since: Option<DateTime<Utc>>,
    /// The parked operations by reason.
    pub parked: Vec<Count>,
    /// What Fineract does with idempotency keys, by kind of command.
    pub key_probes: Vec<KeyProbe>,
    /// The database.
    pub database: DatabaseStatus,
}

/// How many operations have not ended, by age; each count ends at 10,000.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Backlog {
    /// Accepted within the last minute.
    pub up_to_1_minute: i64,
    /// Accepted within the last 10 minutes, before the last minute.
    pub up_to_10_minutes: i64,
    /// Accepted within the last hour, before the last 10 minutes.
    pub up_to_1_hour: i64,
    /// Accepted within the last day, before the last hour.
    pub up_to_1_day: i64,
    /// Accepted earlier.
    pub older: i64,
}

/// What is known about the idempotency keys of a kind of command.
#[derive(Debug, JsonSchema, Serialize)]
pub struct KeyProbe {
    /// The kind of command.
    pub command: String,
    /// Whether Fineract honours the keys. `None`: not known yet.
    pub honoured: Option<bool>,
    /// When the gateway last probed.
    pub asked_at: Option<DateTime<Utc>>,
    /// Since when the keys are known to be honoured.
    pub honoured_since: Option<DateTime<Utc>>,
    /// The header that carried the key.
    pub header: String,
}

/// The state of the database.
#[derive(Debug, JsonSchema, Serialize)]
pub struct DatabaseStatus {
    /// The version of Postgres.
    pub version: String,
    /// When Postgres started.
    pub started_at: DateTime<Utc>,
    /// The last migration that was applied.
    pub migration: i64,
    /// How many connections the database has.
    pub connections: i64,
    /// The age in seconds of the oldest transaction that keeps dead rows from being removed.
    pub oldest_transaction_seconds: f64,
    /// The epoch of Fineract's books.
    pub books_epoch: i32,
    /// How many numbers two lanes have received.
    pub number_conflicts: i64,
}

impl Store {
    /// Reads the state of the queue and of the database. `lenders`: the lenders whose operations are looked for.
    pub async fn system_status(&self, lenders: &[String]) -> Result<SystemStatus, StoreError> {
        let parked = OperationFilter {
            state: Some(StateFilter::Parked),
            ..OperationFilter::default()
        };
        let parked = match self.count(&parked, CountBy::ReasonCode).await {
            Ok(counts) => counts,
            Err(ListError::Store(error)) => return Err(error),
            Err(ListError::NoIndex(_)) => Vec::new(),
        };
        Ok(SystemStatus {
            backlog: self.backlog_by_age().await?,
            oldest_runnable_since: self.oldest_runnable(lenders).await?,
            parked,
            key_probes: self.key_probes().await?,
            database: self.database_status().await?,
        })
    }

    async fn backlog_by_age(&self) -> Result<Backlog, StoreError> {
        // The first 48 bits of an operation's id are the milliseconds at which it was generated.
        sqlx::query_as!(
            Backlog,
            r#"WITH border (age, id) AS (
                   SELECT age, (lpad(to_hex((EXTRACT(EPOCH FROM now() - age) * 1000)::bigint), 12, '0')
                                || repeat('0', 20))::uuid
                     FROM unnest(ARRAY[interval '1 min', '10 min', '1 h', '1 day']) AS a (age)
               ), age (number, since, before) AS (
                   SELECT row_number() OVER (ORDER BY age), id,
                          lag(id, 1, 'ffffffff-ffff-ffff-ffff-ffffffffffff') OVER (ORDER BY age)
                     FROM border
                    UNION ALL
                   SELECT 5, '00000000-0000-0000-0000-000000000000', min(id::text)::uuid FROM border
               ), counted AS (
                   SELECT a.number, (SELECT count(*) FROM (
                              SELECT FROM lane_entry p
                               WHERE p.writes AND p.operation_id >= a.since AND p.operation_id < a.before
                               LIMIT 10000) l) AS count
                     FROM age a
               )
               SELECT COALESCE(max(count) FILTER (WHERE number = 1), 0) AS "up_to_1_minute!",
                      COALESCE(max(count) FILTER (WHERE number = 2), 0) AS "up_to_10_minutes!",
                      COALESCE(max(count) FILTER (WHERE number = 3), 0) AS "up_to_1_hour!",
                      COALESCE(max(count) FILTER (WHERE number = 4), 0) AS "up_to_1_day!",
                      COALESCE(max(count) FILTER (WHERE number = 5), 0) AS "older!"
                 FROM counted"#
        )
        .fetch_one(&self.pool)
        .or_fail_to(ACTION)
        .await
    }

    async fn oldest_runnable(
        &self,
        lenders: &[String],
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        // Running operations have a lease that expires in the future, so they are behind those that are due.
        sqlx::query_scalar!(
            r#"SELECT min(due_at) AS oldest FROM (
                   (SELECT due_at FROM operation
                     WHERE due_at IS NOT NULL AND NOT on_hold AND lender IS NULL AND due_at <= now()
                     ORDER BY due_at, id LIMIT 1)
                    UNION ALL
                   (SELECT o.due_at
                      FROM unnest($1::text[]) AS l (name)
                     CROSS JOIN LATERAL (
                           SELECT due_at FROM operation
                            WHERE due_at IS NOT NULL AND NOT on_hold AND lender IS NOT NULL AND lender = l.name
                              AND due_at <= now()
                            ORDER BY due_at, id LIMIT 1) o)) due"#,
            lenders
        )
        .fetch_one(&self.pool)
        .or_fail_to(ACTION)
        .await
    }

    async fn key_probes(&self) -> Result<Vec<KeyProbe>, StoreError> {
        sqlx::query_as!(
            KeyProbe,
            "SELECT command, honoured, asked_at, honoured_since, header FROM key_probe ORDER BY command"
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await
    }

    async fn database_status(&self) -> Result<DatabaseStatus, StoreError> {
        sqlx::query_as!(
            DatabaseStatus,
            r#"SELECT current_setting('server_version') AS "version!",
                      pg_postmaster_start_time() AS "started_at!",
                      (SELECT COALESCE(max(version), 0) FROM _sqlx_migrations) AS "migration!",
                      (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) AS "connections!",
                      (SELECT COALESCE(EXTRACT(EPOCH FROM now() - min(xact_start)), 0)::float8 FROM pg_stat_activity
                        WHERE datname = current_database() AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)
                      ) AS "oldest_transaction_seconds!",
                      (SELECT epoch FROM books) AS "books_epoch!",
                      (SELECT count(*) FROM number_conflict) AS "number_conflicts!""#
        )
        .fetch_one(&self.pool)
        .or_fail_to(ACTION)
        .await
    }
}
