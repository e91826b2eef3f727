//! `retention`: archives ended operations now, or shows what is archived.

use std::process::ExitCode;

use secrecy::ExposeSecret as _;

use super::{
    print::{Printer, minute},
    settings,
};
use crate::store::{
    self, ArchivedMonth, LastRun, Retention, RetentionRun, RetentionSettings, RetentionStatus,
};

/// The exit code if nothing could be archived now.
const NOT_NOW: u8 = 1;

/// The arguments of `retention`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Archive all operations that are old enough, and drop the months that are, now and not only at the next daily run of a
    /// gateway; the exit code is 1 if another process is at it, or if an older gateway runs.
    Run,
    /// Show the last run and the months of the archive.
    Status(StatusArguments),
}

/// The arguments of `retention status`.
#[derive(Debug, clap::Args)]
struct StatusArguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs a subcommand. Of the settings, it needs only those of the database.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let database = settings::database()?;
    let url = database.url.expose_secret();
    let pool = store::connect_migrated(url, 2, Some(store::STATEMENT_TIMEOUT)).await?;
    let retention = Retention::new(pool);
    let mut printer = Printer::default();
    match arguments.command {
        Command::Run => {
            let settings = RetentionSettings {
                hot_for: database.retention.hot_for,
                kept_for: database.retention.kept_for,
            };
            let retention = retention.exporting_to(database.retention.export_to);
            let (line, code) = ended(retention.run(settings).await?);
            printer.line(&line)?;
            return Ok(code);
        }
        Command::Status(StatusArguments { json: true }) => {
            let status = retention.status().await?;
            printer.line(&serde_json::to_string(&status)?)?;
        }
        Command::Status(StatusArguments { json: false }) => {
            for line in lines(&retention.status().await?) {
                printer.line(&line)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn ended(run: RetentionRun) -> (String, ExitCode) {
    match run {
        RetentionRun::Done(report) => {
            let line = format!(
                "{} operations archived, {} old ones stay where they are, {} months dropped",
                report.archived, report.kept, report.dropped
            );
            (line, ExitCode::SUCCESS)
        }
        RetentionRun::Elsewhere => (
            "another process is archiving operations".to_owned(),
            ExitCode::from(NOT_NOW),
        ),
        RetentionRun::OlderGateway => (
            "nothing was archived: a gateway runs, or ran within the last hour and did not shut down, that does not know the \
             archive"
                .to_owned(),
            ExitCode::from(NOT_NOW),
        ),
    }
}

/// The status, for people.
fn lines(status: &RetentionStatus) -> Vec<String> {
    let mut lines = vec![
        last_run(status.last_run.as_ref()),
        status.oldest_hot_end.map_or_else(
            || "no ended operation is in the hot tables".to_owned(),
            |at| format!("the oldest end in the hot tables: {}", minute(at)),
        ),
    ];
    if status.older_gateways > 0 {
        let count = status.older_gateways;
        lines.push(format!(
            "{count} gateways do not know the archive, so nothing is archived"
        ));
    }
    lines.extend(status.months.iter().map(month));
    let dropped = status.dropped.iter();
    lines
        .extend(dropped.map(|(month, day)| format!("{}  dropped on {day}", month.format("%Y-%m"))));
    lines
}

fn last_run(run: Option<&LastRun>) -> String {
    let Some(run) = run else {
        return "no run yet".to_owned();
    };
    let end = match (run.ended_at, &run.problem) {
        (None, _) => "not ended".to_owned(),
        (Some(at), None) => format!("ended {}", minute(at)),
        (Some(at), Some(why)) => format!("ended {} with a problem: {why}", minute(at)),
    };
    format!(
        "last run: began {}, {end}; {} archived, {} kept, {} months dropped",
        minute(run.started_at),
        run.archived,
        run.kept,
        run.dropped
    )
}

fn month(month: &ArchivedMonth) -> String {
    let count = month.operations.map_or_else(
        || "an unknown number of".to_owned(),
        |count| format!("about {count}"),
    );
    format!(
        "{}  {count} operations, {} MB",
        month.month.format("%Y-%m"),
        month.bytes / 1_000_000
    )
}
