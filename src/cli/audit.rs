//! `audit`: verifies that nobody has changed the audit.

use std::process::ExitCode;

use secrecy::ExposeSecret as _;

use super::{print::Printer, settings};
use crate::store::{self, SealMark, VerifiedAudit};

/// The arguments of `audit`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Compare every row of the audit with its seal; the exit code is 1 if a row was changed, removed, added or
    /// moved.
    Verify(VerifyArguments),
}

/// The arguments of `audit verify`.
#[derive(Debug, clap::Args)]
struct VerifyArguments {
    /// Compare also with a seal that was noted earlier, from a log or from `/metrics`: without it, an audit that was
    /// written anew with all its seals is not found. It can be given several times.
    #[arg(long = "seal", value_name = "NUMBER:HASH")]
    seals: Vec<SealMark>,
}

/// Runs the subcommand. Of the settings, it needs only `DATABASE_URL`; the role needs to read only.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Command::Verify(VerifyArguments { seals }) = arguments.command;
    let url = settings::database_url()?;
    let pool = store::connect_migrated(url.expose_secret(), 2, None).await?;
    report(&store::verify_audit(&pool, &seals).await?)
}

fn report(audit: &VerifiedAudit) -> anyhow::Result<ExitCode> {
    let VerifiedAudit {
        sealed,
        unsealed,
        newest,
        problems,
    } = audit;
    let mut printer = Printer::default();
    for problem in problems {
        printer.line(&problem.to_string())?;
    }
    printer.line(&format!("sealed rows: {sealed}"))?;
    printer.line(&format!("rows without a seal yet: {unsealed}"))?;
    if let Some(newest) = newest {
        printer.line(&format!("newest seal: {newest}"))?;
    }
    Ok(if problems.is_empty() {
        printer.line("the audit is as it was sealed")?;
        ExitCode::SUCCESS
    } else {
        printer.line(&format!(
            "the audit is NOT as it was sealed: {} problems",
            problems.len()
        ))?;
        ExitCode::FAILURE
    })
}
