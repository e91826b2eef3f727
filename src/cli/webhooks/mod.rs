//! `webhooks`: manages the caller's endpoints, and shows a developer what a receiver would get.

mod listen;
mod manage;

use std::process::ExitCode;

/// The arguments of `webhooks`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Send each event of your operations to a URL of your own, as the gateway would, until Ctrl-C; a failure counts as
    /// read, whatever your receiver answers.
    Listen(listen::Arguments),
    /// List your endpoints.
    List(manage::ListArguments),
    /// Create an endpoint, and show its secret.
    Create(manage::CreateArguments),
    /// List the newest deliveries to your endpoints.
    Deliveries(manage::DeliveriesArguments),
    /// Send a delivery again, also if it was delivered or given up.
    Resend(manage::ActArguments),
    /// Send a message to an endpoint, to try it.
    Test(manage::ActArguments),
}

/// Runs a subcommand.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Listen(arguments) => listen::run(arguments).await?,
        Command::List(arguments) => manage::list(arguments).await?,
        Command::Create(arguments) => manage::create(arguments).await?,
        Command::Deliveries(arguments) => manage::deliveries(arguments).await?,
        Command::Resend(arguments) => manage::resend(arguments).await?,
        Command::Test(arguments) => manage::test(arguments).await?,
    }
    Ok(ExitCode::SUCCESS)
}
