//! `load`: sends operations as fast as they are taken, or at a fixed rate, and checks every answer.

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
    /// The gateway's address, with its base path.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: Url,
    /// A secret of `INTERNAL_TOKENS`.
    #[arg(long, env = "LOAD_TOKEN", hide_env_values = true)]
    token: String,
    /// Requests at once.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// For how long.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Operations a second, spread evenly; latency then counts from when an operation was due, so that a
    /// slow answer is not hidden by what it holds up. Without it each connection sends when it is answered.
    #[arg(long)]
    rate: Option<u32>,
    /// What is sent: `clients`, or `lives` (client, loan, approval and disbursement of a new borrower).
    #[arg(long, default_value = "clients")]
    mix: Mix,
    /// Waits for each end by long poll, and checks that it is a success.
    #[arg(long)]
    follow: bool,
    /// The sandbox's address: checks at the end that its ledger has each operation once.
    #[arg(long)]
    ledger: Option<Url>,
    /// Prints the figures as JSON.
    #[arg(long)]
    json: bool,
}

/// A beginning of names that no other load has.
pub(super) fn new_run() -> String {
    Uuid::now_v7().simple().to_string()
}

/// Runs the load, prints its figures, and fails when an answer was not as it should be.
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
            .context("the ledger could not be read")?;
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
