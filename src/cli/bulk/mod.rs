//! `bulk`: sends a file of operations, shows where a batch stands, and sends its failed rows again.

pub mod connection;
mod failed_rows;
mod follow;
mod retry;
mod source;
mod status;
mod submit;

use std::process::ExitCode;

use self::connection::Connection;

/// The arguments of `bulk`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Sends a file of operations and waits until all have ended.
    Submit(submit::Arguments),
    /// Says where a batch stands.
    Status(status::Arguments),
    /// Sends the failed rows of a batch again and waits until they have ended.
    Retry(retry::Arguments),
}

/// Runs a subcommand; the exit code says whether every row of the batch has succeeded.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let succeeded = match arguments.command {
        Command::Submit(arguments) => submit::run(arguments).await?,
        Command::Status(arguments) => status::run(arguments).await?,
        Command::Retry(arguments) => retry::run(arguments).await?,
    };
    Ok(if succeeded {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
