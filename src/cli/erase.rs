//! `erase`: erases people's data of a client and its loans, for ever.

use std::process::ExitCode;

use anyhow::Context as _;
use secrecy::ExposeSecret as _;

use super::{hold_all::reason, print::Printer, settings};
use crate::store::{self, Operator};

/// The arguments of `erase`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Give the external id of the client.
    #[arg(long)]
    client: String,
    /// Give the reason, for the audit; it must not contain personal data.
    #[arg(long, value_parser = reason)]
    reason: String,
    /// Name the person or program that does it, for the audit.
    #[arg(long, default_value = "the command line", value_parser = reason)]
    by: String,
}

/// Erases. Of the settings, it needs only `DATABASE_URL`.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let url = settings::database_url()?;
    let pool =
        store::connect_migrated(url.expose_secret(), 2, Some(store::STATEMENT_TIMEOUT)).await?;
    let operator = Operator {
        name: arguments.by,
        reason: Some(arguments.reason),
        ..Operator::default()
    };
    let erased = store::erase(&pool, &arguments.client, &operator)
        .await
        .context("nothing was erased")?;
    let mut printer = Printer::default();
    printer.line(&format!(
        "{} operations of the client and of {} loans were erased, and {} refused rows of batches",
        erased.operations, erased.loans, erased.rows
    ))?;
    for name in erased.commands_kept {
        printer.line(&format!(
            "the commands of {name} stay, because they may have to be sent again"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
