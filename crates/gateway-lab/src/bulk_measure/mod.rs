//! `bulk-measure` sends a generated batch, measures its acceptance, and checks that its status is consistent while it
//! runs.

mod rows;

use std::{
    fs,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::json;
use uuid::Uuid;

use self::rows::Rows;
use fineract_gateway::cli::bulk::connection::{Caller, Connection, Status, Summary};

/// The number of rows on a page: the maximum that the gateway allows.
const PAGE: u32 = 1_000;
/// How long the batch may make no progress before it counts as stuck.
const PATIENCE: Duration = Duration::from_mins(2);

/// The arguments of `bulk-measure`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    caller: Caller,
    /// Sends this many rows. Each borrower has four rows: client, loan, approval and disbursement. One disbursement in
    /// 25 has a wrong date and fails; it succeeds when its row is sent again with a correct date.
    #[arg(default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    rows: u64,
    /// Prints the peak memory of the gateway with this process id on this machine.
    #[arg(long)]
    pid: Option<u32>,
}

#[derive(Deserialize)]
struct Retried {
    taken: Vec<u64>,
    not_taken: Vec<IgnoredAny>,
}

/// How a batch was read until it had ended.
#[derive(Default)]
struct Run {
    sweeps: usize,
    pages: usize,
    slowest: Duration,
    took: Duration,
}

/// Sends a batch, and reads all its pages repeatedly until the batch has ended. Then sends the failed rows again, with
/// corrections. The exit code is 1 if a row has not succeeded after that. An inconsistent answer is an error.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { caller, rows, pid } = arguments;
    let connection = Connection::new(caller)?;
    let name = format!("measure-{}", Uuid::now_v7().simple());
    let rows = Rows::new(&name, rows);
    let body = rows.table();
    anstream::println!(
        "{name}: {} rows, {} KiB of CSV",
        rows.count,
        body.len() / 1024
    );
    show_memory(pid, "before")?;
    let query = [
        ("reference_id", name.as_str()),
        ("file_name", "measure.csv"),
    ];
    let started = Instant::now();
    let _: IgnoredAny = connection
        .post("schedule", &query, "text/csv", body.into())
        .await?;
    anstream::println!("accepted in {:.2?}", started.elapsed());
    show_memory(pid, "once accepted")?;

    let (run, status) = read_until_ended(&connection, &name, rows.count).await?;
    run.print(rows.count);
    let failing = rows.failing().count();
    ensure!(
        status.summary.failed == u64::try_from(failing)?,
        "{failing} rows should have failed: {}",
        status.text()
    );
    let query = [("reference_id", name.as_str())];
    let started = Instant::now();
    let corrected = rows.corrected().into();
    let retried: Retried = connection
        .post("retry", &query, "text/csv", corrected)
        .await?;
    ensure!(
        retried.taken.len() == failing && retried.not_taken.is_empty(),
        "of {failing} failed rows {} are sent again",
        retried.taken.len()
    );
    anstream::println!(
        "{failing} failed rows are sent again, in {:.2?}",
        started.elapsed()
    );
    let (run, status) = read_until_ended(&connection, &name, rows.count).await?;
    run.print(retried.taken.len().try_into()?);
    show_memory(pid, "at the end")?;
    anstream::println!("{name} {}", status.text());
    Ok(if status.has_succeeded() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The number of rows that have ended.
fn ended_of(status: &Status) -> u64 {
    status.summary.completed + status.summary.failed
}

/// Whether the summary has this total, and its counts add up to the total.
fn adds_up(summary: &Summary, total: u64) -> bool {
    let all = summary.ready + summary.in_progress + summary.completed + summary.failed;
    summary.total == total && all == total
}

/// Reads all pages repeatedly until the batch has ended.
async fn read_until_ended(
    connection: &Connection,
    name: &str,
    count: u64,
) -> anyhow::Result<(Run, Status)> {
    let started = Instant::now();
    let mut run = Run::default();
    let mut ended = 0;
    let mut moved = Instant::now();
    loop {
        let status = run.sweep(connection, name, count).await?;
        run.took = started.elapsed();
        if status.has_ended() {
            return Ok((run, status));
        }
        if ended_of(&status) > ended {
            ended = ended_of(&status);
            moved = Instant::now();
        }
        ensure!(
            moved.elapsed() < PATIENCE,
            "the batch makes no progress: {}",
            status.text()
        );
    }
}

impl Run {
    /// Reads every page once. Each row must occur once, in the order of the file. The counts of the summary must add
    /// up, and the number of ended rows must not decrease.
    async fn sweep(
        &mut self,
        connection: &Connection,
        name: &str,
        count: u64,
    ) -> anyhow::Result<Status> {
        let mut next = 1;
        let mut ended = 0;
        let mut page = 1;
        loop {
            let asked = Instant::now();
            let status = connection.status(name, json!(null), page, PAGE).await?;
            self.slowest = self.slowest.max(asked.elapsed());
            self.pages += 1;
            let text = status.text();
            ensure!(
                adds_up(&status.summary, count),
                "the summary does not add up: {text}"
            );
            ensure!(
                ended_of(&status) >= ended,
                "the number of ended rows has decreased: {text}"
            );
            ended = ended_of(&status);
            for record in &status.records {
                ensure!(
                    record.id == next,
                    "row {} came where row {next} was expected",
                    record.id
                );
                next += 1;
            }
            if !status.pagination.has_next {
                ensure!(u64::try_from(next)? == count + 1, "row {next} is missing");
                self.sweeps += 1;
                return Ok(status);
            }
            page += 1;
        }
    }

    fn print(&self, rows: u64) {
        let Self {
            sweeps,
            pages,
            slowest,
            took,
        } = self;
        let a_second = u128::from(rows) * 1000 / took.as_millis().max(1);
        anstream::println!(
            "{rows} rows ended within {took:.1?} ({a_second}/s); all pages read {sweeps} times meanwhile ({pages} pages, slowest {slowest:.0?}), each row once"
        );
    }
}

/// Prints the peak memory of the gateway (`VmHWM`).
fn show_memory(pid: Option<u32>, when: &str) -> anyhow::Result<()> {
    let Some(pid) = pid else { return Ok(()) };
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("the kernel does not report the peak memory")?;
    let kibibytes: u64 = peak.trim().trim_end_matches(" kB").parse()?;
    anstream::println!("peak memory {when}: {} MiB", kibibytes.div_ceil(1024));
    Ok(())
}
