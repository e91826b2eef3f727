//! `hold-all`: puts everything on hold, for every gateway on the database.

use std::process::ExitCode;

use anyhow::ensure;
use clap::Args;
use secrecy::ExposeSecret as _;

use super::settings;
use crate::{
    store::{self, Covered},
    telemetry,
};

/// The reason of the hold if `serve --on-hold` is used without a reason.
pub(super) const STARTED_ON_HOLD: &str = "a gateway was started with --on-hold";

/// The longest reason, in characters.
const LONGEST_REASON: usize = 1_000;

/// The arguments of `hold-all`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Give the reason, for the operators who release the hold; it must not contain personal data.
    #[arg(long, value_parser = reason)]
    reason: String,
    /// Name the person or program that requests the hold.
    #[arg(long, default_value = "the command line", value_parser = reason)]
    by: String,
}

/// Puts everything on hold. Of the settings, it needs only `DATABASE_URL`.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let url = settings::database_url()?;
    let pool =
        store::connect_migrated(url.expose_secret(), 2, Some(store::STATEMENT_TIMEOUT)).await?;
    let covered = store::hold_all(&pool, &arguments.reason, &arguments.by).await?;
    telemetry::print_line(&summary(covered));
    Ok(ExitCode::SUCCESS)
}

fn summary(covered: Covered) -> String {
    let Covered {
        operations,
        under_way,
    } = covered;
    format!(
        "everything is on hold: {operations} operations, and all that are accepted from now on; \
         {under_way} had been sent before and will still end"
    )
}

/// Parses a text that must not be empty or too long.
pub(super) fn reason(text: &str) -> anyhow::Result<String> {
    let text = text.trim();
    ensure!(!text.is_empty(), "must not be empty");
    ensure!(
        text.chars().count() <= LONGEST_REASON,
        "must have at most {LONGEST_REASON} characters"
    );
    Ok(text.to_owned())
}
