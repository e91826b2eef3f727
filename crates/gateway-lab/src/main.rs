//! The programs that demonstrate, test and measure the gateway from outside. Each subcommand has a module of its own.

mod bench;
mod bulk_measure;
mod demo;
mod load;
mod private;
mod prove;

use std::process::ExitCode;

use clap::Parser;

/// The exit code of a command that failed because of an error.
const BAD_START: u8 = 2;

/// Demonstrates, tests and measures fineract-gateway.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Starts the gateway with everything it needs, sends the examples of the API documents, and keeps running.
    Demo(demo::Arguments),
    /// Tests under injected faults that no operation is lost, takes effect twice or runs out of order.
    Prove(prove::Arguments),
    /// Sends operations as fast as the gateway accepts them, and checks every answer.
    Load(load::Arguments),
    /// Measures the performance goals on private servers, and prints the results as a table.
    Bench(bench::Arguments),
    /// Sends a large generated batch, measures its acceptance, and checks that its status is consistent while it runs.
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
