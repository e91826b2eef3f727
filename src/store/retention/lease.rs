//! Which process runs: one at a time, once a day.

use std::time::Duration;

use tokio::time::timeout;

use super::{Retention, RetentionReport};
use crate::store::{StoreError, patience::WithTimeout};

/// How often a run records that it goes on.
const RECORD_EVERY: Duration = Duration::from_secs(15);

/// Whether a process goes on with its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    GoesOn,
    /// It was too slow, and another process has taken the run over.
    TakenOver,
}

impl Retention {
    /// Begins a run, unless another process is at it. Unless it is `asked` for, a run begins a day after the one before, or
    /// ten minutes after one that had a problem, or at once if the process of the one before died.
    pub(super) async fn begin(&self, asked: bool) -> Result<bool, StoreError> {
        let begun = sqlx::query!(
            "INSERT INTO retention AS r (run_by, run_until, started_at)
             VALUES ($1, now() + interval '1 minute', now())
                 ON CONFLICT (is_it) DO UPDATE
                SET run_by = excluded.run_by, run_until = excluded.run_until, started_at = excluded.started_at,
                    ended_at = NULL, archived = 0, kept = 0, dropped = 0, problem = NULL
              WHERE (r.run_until IS NULL OR r.run_until < now())
                AND ($2 OR r.ended_at IS NULL OR r.started_at < now() - interval '1 day'
                     OR (r.problem IS NOT NULL AND r.ended_at < now() - interval '10 minutes'))",
            self.process,
            asked
        )
        .execute(&self.pool)
        .or_fail_to("begin to archive operations")
        .await?;
        Ok(begun.rows_affected() == 1)
    }

    /// Records what the run has done so far, and goes on for another minute.
    pub(super) async fn record(&self, report: &RetentionReport) -> Result<Progress, StoreError> {
        let recorded = sqlx::query!(
            "UPDATE retention
                SET run_until = now() + interval '1 minute', archived = $2, kept = $3, dropped = $4
              WHERE run_by = $1",
            self.process,
            report.archived,
            report.kept,
            report.dropped
        )
        .execute(&self.pool)
        .or_fail_to("record how many operations were archived")
        .await?;
        Ok(if recorded.rows_affected() == 1 {
            Progress::GoesOn
        } else {
            Progress::TakenOver
        })
    }

    /// Does work of the run that may take long, and meanwhile records that the run goes on.
    pub(super) async fn going_on<T>(
        &self,
        report: RetentionReport,
        work: impl Future<Output = T>,
    ) -> T {
        let mut work = Box::pin(work);
        loop {
            if let Ok(done) = timeout(RECORD_EVERY, &mut work).await {
                return done;
            }
            // If this fails, another process may begin a run. It waits for what this one has locked.
            self.record(&report).await.ok();
        }
    }

    /// Ends the run.
    pub(super) async fn end(
        &self,
        report: &RetentionReport,
        problem: Option<&str>,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "UPDATE retention
                SET run_by = NULL, run_until = NULL, ended_at = now(), archived = $2, kept = $3, dropped = $4, problem = $5
              WHERE run_by = $1",
            self.process,
            report.archived,
            report.kept,
            report.dropped,
            problem
        )
        .execute(&self.pool)
        .or_fail_to("end a run that archives operations")
        .await
        .map(drop)
    }
}
