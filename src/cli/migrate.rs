//! `migrate`: migrates the schema of the database to the version of this gateway, or compares the two.

use std::process::ExitCode;

use clap::Args;
use secrecy::ExposeSecret as _;

use super::{print::Printer, settings};
use crate::{
    store::{self, Migrations},
    telemetry,
};

/// The exit code of `migrate --check` if migrations are missing, and nothing else differs.
const MISSING: u8 = 1;
/// The exit code of `migrate --check` if this gateway cannot migrate the database.
const IMPOSSIBLE: u8 = 3;

/// The arguments of `migrate`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Change nothing; say which migrations are missing (exit code 1), or unknown to this gateway or changed (3). The
    /// exit code is 0 if the database is migrated.
    #[arg(long)]
    check: bool,
}

/// Migrates or compares. Of the settings, it needs only `DATABASE_URL`.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let url = settings::database_url()?;
    let pool = store::connect(url.expose_secret(), 2, None).await?;
    if arguments.check {
        return report(&store::compare_migrations(&pool).await?);
    }
    store::migrate(&pool).await?;
    telemetry::print_line("the database is migrated");
    Ok(ExitCode::SUCCESS)
}

fn report(migrations: &Migrations) -> anyhow::Result<ExitCode> {
    let mut printer = Printer::default();
    for (number, name) in &migrations.missing {
        printer.line(&format!("missing: {number:04} {name}"))?;
    }
    for number in &migrations.unknown {
        printer.line(&format!("unknown: {number:04}, of a newer gateway"))?;
    }
    for number in &migrations.changed {
        printer.line(&format!(
            "changed: {number:04} is not what was applied, or was not applied to its end"
        ))?;
    }
    Ok(if migrations.are_current() {
        printer.line("the database is migrated")?;
        ExitCode::SUCCESS
    } else if migrations.unknown.is_empty() && migrations.changed.is_empty() {
        ExitCode::from(MISSING)
    } else {
        ExitCode::from(IMPOSSIBLE)
    })
}
