//! `bulk`: sends a file of operations as a batch, shows the status of a batch, and sends its failed rows again.

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
    /// Send a file of operations and wait until all have ended.
    Submit(submit::Arguments),
    /// Show the status of a batch.
    Status(status::Arguments),
    /// Send the failed rows of a batch again and wait until they have ended.
    Retry(retry::Arguments),
}

/// Runs a subcommand. The exit code shows whether every row of the batch has succeeded.
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
