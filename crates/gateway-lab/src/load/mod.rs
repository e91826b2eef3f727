//! `load` sends operations as fast as the gateway accepts them, or at a fixed rate, and checks every answer.

mod drive;
mod mix;
mod report;

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Url;
use uuid::Uuid;

pub(super) use self::{
    drive::{Plan, drive},
    mix::Mix,
    report::Report,
};

/// The arguments of `load`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Sends to the gateway at this URL, which includes its base path.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: Url,
    /// Authenticates with this secret of `INTERNAL_TOKENS`.
    #[arg(long, env = "LOAD_TOKEN", hide_env_values = true)]
    token: String,
    /// Sends over this many connections, each with one request at a time.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Sends new operations for this many seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Sends this many operations per second, evenly spread. Latency then counts from the time at which an operation
    /// was due. It therefore includes the delays that a slow answer causes. Without this option, each connection sends
    /// as soon as its last request is answered.
    #[arg(long)]
    rate: Option<u32>,
    /// Sends these operations: `clients`, or `lives` (client, loan, approval and disbursement of a new borrower).
    #[arg(long, default_value = "clients")]
    mix: Mix,
    /// Waits for the end of each operation by long polling, and checks that the operation has succeeded.
    #[arg(long)]
    follow: bool,
    /// Checks at the end that the ledger of the sandbox at this URL contains each operation once.
    #[arg(long)]
    ledger: Option<Url>,
    /// Prints the measured values as JSON.
    #[arg(long)]
    json: bool,
}

/// A new prefix for names. No other load uses it.
pub(super) fn new_run() -> String {
    Uuid::now_v7().simple().to_string()
}

/// Runs the load and prints the measured values. The exit code is 1 if an answer was not as expected.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let plan = Plan {
        url: arguments.url.as_str().trim_end_matches('/').to_owned(),
        token: arguments.token,
        connections: arguments.connections,
        duration: Duration::from_secs(arguments.seconds),
        borrowers: None,
        run: new_run(),
        rate: arguments.rate,
        mix: arguments.mix,
        follow: arguments.follow,
    };
    let bar = ProgressBar::new(arguments.seconds).with_style(ProgressStyle::with_template(
        "{bar:40} {pos}/{len} s  {msg}",
    )?);
    let mut report = drive(&plan, &bar).await?;
    bar.finish_and_clear();
    if let Some(sandbox) = arguments.ledger {
        report
            .check_ledger(&sandbox)
            .await
            .context("cannot read the ledger")?;
    }
    anstream::println!(
        "{}",
        if arguments.json {
            report.json()?
        } else {
            report.text()
        }
    );
    Ok(if report.is_as_expected() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
