//! What is archived, and what the last run has done.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::Retention;
use crate::store::{StoreError, patience::WithTimeout};

const ACTION: &str = "read what is archived";

/// What is archived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RetentionStatus {
    /// The last run; `None` before the first.
    pub last_run: Option<LastRun>,
    /// How many gateways run that do not know the archive. While there are any, nothing is archived.
    pub older_gateways: i64,
    /// When the operation ended that has been in the hot tables for the longest time since its end.
    pub oldest_hot_end: Option<DateTime<Utc>>,
    /// The months of the archive, the oldest first.
    pub months: Vec<ArchivedMonth>,
    /// The months whose rows were dropped, with the day.
    pub dropped: Vec<(NaiveDate, NaiveDate)>,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastRun {
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; `None`: it has not, or its process died.
    pub ended_at: Option<DateTime<Utc>>,
    /// How many operations it has archived.
    pub archived: i64,
    /// How many were old enough, but must stay in the hot tables.
    pub kept: i64,
    /// How many months it has dropped.
    pub dropped: i32,
    /// Why it has not done everything: `older_gateway`, `export` or `database`.
    pub problem: Option<String>,
}

/// A month of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArchivedMonth {
    /// Its first day (UTC).
    pub month: NaiveDate,
    /// About how many operations it has; `None` as long as Postgres has not counted them.
    pub operations: Option<i64>,
    /// How many bytes its tables and indexes take.
    pub bytes: i64,
}

impl Retention {
    /// What is archived, and what the last run has done.
    pub async fn status(&self) -> Result<RetentionStatus, StoreError> {
        let last_run = sqlx::query_as!(
            LastRun,
            r#"SELECT started_at AS "started_at!", ended_at, archived, kept, dropped, problem
                 FROM retention WHERE started_at IS NOT NULL"#
        )
        .fetch_optional(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        let hot = sqlx::query!(
            r#"SELECT (SELECT count(*) FROM gateway_process WHERE NOT reads_archive) AS "older_gateways!",
                      (SELECT ended_at FROM operation
                        WHERE ended_at IS NOT NULL ORDER BY ended_at, id LIMIT 1) AS oldest_hot_end"#
        )
        .fetch_one(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        let dropped = sqlx::query!(
            r#"SELECT month, (dropped_at AT TIME ZONE 'UTC')::date AS "day!" FROM dropped_month ORDER BY month"#
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        Ok(RetentionStatus {
            last_run,
            older_gateways: hot.older_gateways,
            oldest_hot_end: hot.oldest_hot_end,
            months: self.months().await?,
            dropped: dropped
                .into_iter()
                .map(|row| (row.month, row.day))
                .collect(),
        })
    }

    /// The months of the archive, the oldest first.
    pub(super) async fn months(&self) -> Result<Vec<ArchivedMonth>, StoreError> {
        sqlx::query_as!(
            ArchivedMonth,
            r#"SELECT to_date(right(part.relname, 7), 'YYYY_MM') AS "month!",
                      CASE WHEN part.reltuples >= 0 THEN part.reltuples::bigint END AS operations,
                      (SELECT COALESCE(sum(pg_total_relation_size(p.oid)), 0)::bigint
                         FROM unnest(ARRAY['operation', 'payload', 'attempt', 'result']) AS t (name)
                         JOIN pg_class p ON p.relnamespace = part.relnamespace
                          AND p.relname = 'archived_' || t.name || '_' || right(part.relname, 7)) AS "bytes!"
                 FROM pg_inherits i
                 JOIN pg_class part ON part.oid = i.inhrelid
                WHERE i.inhparent = 'archived_operation'::regclass
                ORDER BY part.relname"#
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await
    }
}
