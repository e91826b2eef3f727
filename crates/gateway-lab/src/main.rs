//! What shows, proves and measures the gateway from outside: one folder a subcommand.

mod bench;
mod bulk_measure;
mod demo;
mod load;
mod private;
mod prove;

use std::process::ExitCode;

use clap::Parser;

/// The exit code of a command that could not start.
const BAD_START: u8 = 2;

/// Shows, proves and measures fineract-gateway.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Starts the whole gateway with all that it needs, sends the documents' examples, and stays up.
    Demo(demo::Arguments),
    /// Shows that nothing is lost, done twice or out of order, whatever dies and whenever.
    Prove(prove::Arguments),
    /// Sends operations as fast as they are taken, and checks every answer.
    Load(load::Arguments),
    /// Measures the goals of speed on servers of its own, and prints them as a table.
    Bench(bench::Arguments),
    /// Sends a large batch of its own making, and says what that took and whether what was told of it adds up.
    BulkMeasure(bulk_measure::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    match execute(Cli::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("gateway-lab: {error:#}");
            ExitCode::from(BAD_START)
        }
    }
}

async fn execute(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Prove(arguments) => prove::run(arguments).await,
        Command::Load(arguments) => load::run(arguments).await,
        Command::Bench(arguments) => bench::run(arguments).await,
        Command::BulkMeasure(arguments) => bulk_measure::run(arguments).await,
    }
}
