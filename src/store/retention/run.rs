//! A run: archives in small steps, and then drops old months.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    Retention, RetentionReport, RetentionRun, RetentionSettings, archive::Step, lease::Progress,
};
use crate::{store::StoreError, telemetry::chain};

/// How often each gateway looks whether a run is due.
const EVERY: Duration = Duration::from_mins(1);
/// The pause of a gateway whose run has failed. Any gateway may run ten minutes after a failed run. So another one comes first,
/// which may be able to do what this one cannot.
const AFTER_FAILURE: Duration = Duration::from_mins(13);
/// The shortest pause between two steps.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
/// How much longer than a step the pause after it is. So the steps use a tenth of the time at most, and accepting and
/// claiming hardly notice them.
const PAUSE_FACTOR: u32 = 9;
/// The same in a run that would otherwise not end before the next one is due.
const PAUSE_FACTOR_IN_HASTE: u32 = 3;
/// How long a run lasts before it is in haste.
const UNHURRIED: Duration = Duration::from_hours(12);

impl Retention {
    /// Runs once a day, in one of the gateways. Never returns.
    pub async fn run_daily(self, settings: RetentionSettings) {
        loop {
            let run = self.run_if_due(settings).await;
            log(&run);
            sleep(if run.is_ok() { EVERY } else { AFTER_FAILURE }).await;
        }
    }

    async fn run_if_due(
        &self,
        settings: RetentionSettings,
    ) -> Result<Option<RetentionRun>, StoreError> {
        if self.begin(false).await? {
            self.go_on(settings).await.map(Some)
        } else {
            Ok(None)
        }
    }

    /// Runs now, unless another process is at it.
    pub async fn run(&self, settings: RetentionSettings) -> Result<RetentionRun, StoreError> {
        if self.begin(true).await? {
            self.go_on(settings).await
        } else {
            Ok(RetentionRun::Elsewhere)
        }
    }

    async fn go_on(&self, settings: RetentionSettings) -> Result<RetentionRun, StoreError> {
        let mut report = RetentionReport::default();
        let archived = self.archive_all(settings, &mut report).await;
        let run = if matches!(archived, Ok(RetentionRun::Elsewhere)) {
            archived
        } else {
            // Months are dropped on their day, whatever keeps operations from being archived.
            let dropped = self.drop_months(settings, &mut report).await;
            match archived {
                Ok(RetentionRun::Done(_)) => dropped,
                not_done => not_done,
            }
        };
        let problem = match &run {
            Ok(RetentionRun::Done(_)) => None,
            Ok(RetentionRun::Elsewhere) => return run,
            Ok(RetentionRun::OlderGateway) => Some("older_gateway"),
            Err(StoreError::Export(_)) => Some("export"),
            Err(_) => Some("database"),
        };
        self.end(&report, problem).await?;
        run
    }

    /// Archives in small steps, with pauses between them.
    async fn archive_all(
        &self,
        settings: RetentionSettings,
        report: &mut RetentionReport,
    ) -> Result<RetentionRun, StoreError> {
        let begun = Instant::now();
        let mut after = None;
        loop {
            let started = Instant::now();
            match self.archive_step(settings.hot_for, after).await? {
                Step::OlderGateway => return Ok(RetentionRun::OlderGateway),
                Step::AtEnd => return Ok(RetentionRun::Done(*report)),
                Step::Examined {
                    count,
                    archived,
                    last,
                } => {
                    report.archived += archived;
                    report.kept += count - archived;
                    after = Some(last);
                }
            }
            if self.record(report).await? == Progress::TakenOver {
                return Ok(RetentionRun::Elsewhere);
            }
            let factor = if begun.elapsed() < UNHURRIED {
                PAUSE_FACTOR
            } else {
                PAUSE_FACTOR_IN_HASTE
            };
            sleep((started.elapsed() * factor).max(SHORTEST_PAUSE)).await;
        }
    }
}

fn log(run: &Result<Option<RetentionRun>, StoreError>) {
    match run {
        Ok(Some(RetentionRun::Done(report))) => {
            tracing::info!(
                archived = report.archived,
                kept = report.kept,
                dropped_months = report.dropped,
                "ended operations were archived"
            );
        }
        Ok(Some(RetentionRun::OlderGateway)) => {
            tracing::warn!(
                "nothing is archived while a gateway runs that does not know the archive"
            );
        }
        Ok(Some(RetentionRun::Elsewhere) | None) => {}
        Err(error) => {
            tracing::warn!(error = %chain(error), "a run of retention has failed; a gateway tries again within some minutes");
        }
    }
}
