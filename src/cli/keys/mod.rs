//! `keys`: manages the credentials in the database.
//!
//! The commands work on the database itself, so they create the first key, and revoke one while no gateway answers. Every
//! gateway hears of a change within a second. The API of the gateway can do the same (`/fineract/keys`).

mod create;
mod overlap;
mod print;

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use secrecy::ExposeSecret as _;

use self::print::Printing;
use super::{hold_all::reason, settings};
use crate::store::{self, Credential, CredentialError, CredentialTable, Operator};

/// The arguments of `keys`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Create a key, and show its secret, once.
    Create(create::CreateArguments),
    /// List the keys, except those that were revoked more than 30 days ago.
    List(Printing),
    /// Show a key; its secrets are not stored, so nobody can show them.
    Show(OneArguments),
    /// Give a key a new secret, and show it, once; the secret before it stays valid for a while.
    Rotate(RotateArguments),
    /// Revoke a key: within a second, no gateway accepts it any more.
    Revoke(RevokeArguments),
}

/// The arguments of `keys show`.
#[derive(Debug, clap::Args)]
struct OneArguments {
    /// Give the id of the key, or the name of a key in use.
    key: String,
    #[command(flatten)]
    printing: Printing,
}

/// Who acts and why, for the audit.
#[derive(Debug, clap::Args)]
struct Acting {
    /// Give the reason, for the audit; it must not contain personal data.
    #[arg(long, value_parser = reason)]
    reason: Option<String>,
    /// Name the person or program that does it, for the audit.
    #[arg(long, default_value = "the command line", value_parser = reason)]
    by: String,
}

/// The arguments of `keys rotate`.
#[derive(Debug, clap::Args)]
struct RotateArguments {
    #[command(flatten)]
    one: OneArguments,
    /// Keep the secret before it valid for this time, such as 24h, 30m or 7d; 0s ends it at once.
    #[arg(long, default_value = "24h", value_parser = overlap::parse)]
    overlap: Duration,
    #[command(flatten)]
    acting: Acting,
}

/// The arguments of `keys revoke`.
#[derive(Debug, clap::Args)]
struct RevokeArguments {
    #[command(flatten)]
    one: OneArguments,
    #[command(flatten)]
    acting: Acting,
}

impl Acting {
    fn operator(self) -> Operator {
        Operator {
            name: self.by,
            reason: self.reason,
            ..Operator::default()
        }
    }
}

/// Runs a subcommand. Of the settings, it needs only `DATABASE_URL`.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let url = settings::database_url()?;
    let pool =
        store::connect_migrated(url.expose_secret(), 2, Some(store::STATEMENT_TIMEOUT)).await?;
    let table = CredentialTable::new(pool);
    match arguments.command {
        Command::Create(arguments) => create::run(&table, arguments).await?,
        Command::List(printing) => printing.all(table.all().await?)?,
        Command::Show(OneArguments { key, printing }) => {
            printing.one(find(&table, &key).await?, None)?;
        }
        Command::Rotate(RotateArguments {
            one: OneArguments { key, printing },
            overlap,
            acting,
        }) => {
            let found = find(&table, &key).await?;
            let secret = table.rotate(found.id, overlap, &acting.operator()).await?;
            let rotated = find(&table, &found.id.to_string()).await?;
            printing.one(rotated, Some(&secret))?;
        }
        Command::Revoke(RevokeArguments {
            one: OneArguments { key, printing },
            acting,
        }) => {
            let found = find(&table, &key).await?;
            table.revoke(found.id, &acting.operator()).await?;
            printing.one(find(&table, &found.id.to_string()).await?, None)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(table: &CredentialTable, key: &str) -> anyhow::Result<Credential> {
    let found = table.find(key).await?;
    found
        .ok_or(CredentialError::Unknown)
        .with_context(|| format!("cannot find the key {key}"))
}
