//! `migrate`: migrates the schema of the database to the version of this gateway.

use std::process::ExitCode;

use clap::Args;
use secrecy::ExposeSecret as _;

use super::settings;
use crate::{store, telemetry};

/// The arguments of `migrate`: none.
#[derive(Debug, Args)]
pub(super) struct Arguments {}

/// Migrates. Of the settings, it needs only `DATABASE_URL`.
pub(super) async fn run(_arguments: Arguments) -> anyhow::Result<ExitCode> {
    let url = settings::database_url()?;
    let pool = store::connect(url.expose_secret(), 2, None).await?;
    store::migrate(&pool).await?;
    telemetry::print_line("the database is migrated");
    Ok(ExitCode::SUCCESS)
}
