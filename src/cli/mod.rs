//! The command line: one file per subcommand, each of which reads its own arguments.

pub mod bulk;
mod hold_all;
pub mod lab;
mod migrate;
mod serve;
pub mod settings;
pub mod setup_fineract;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::telemetry;

/// The exit code of a command that could not start: bad arguments (clap's own), settings, database.
const BAD_START: u8 = 2;

/// Durable, ordered execution of loan operations against Apache Fineract.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one, for a moment")]
enum Command {
    /// Runs the gateway until SIGTERM, SIGHUP or Ctrl-C.
    Serve(serve::Arguments),
    /// Brings the database's schema up to this gateway's.
    Migrate(migrate::Arguments),
    /// Puts everything on hold, for every gateway on the database, until operators lift it.
    HoldAll(hold_all::Arguments),
    /// Sends a file of operations as one batch, shows where it stands, sends its failed rows again.
    Bulk(bulk::Arguments),
    /// Makes what a Fineract lacks before its first loan: currency, payment type, charge, products.
    SetupFineract(setup_fineract::Arguments),
}

/// Runs the subcommand that the arguments name, and says in one line why it could not.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let executed = execute(cli.command);
    telemetry::flush();
    match executed {
        Ok(code) => code,
        Err(error) => {
            telemetry::say(&format!("fineract-gateway: {error:#}"));
            ExitCode::from(BAD_START)
        }
    }
}

fn execute(command: Command) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        match command {
            Command::Serve(arguments) => serve::run(arguments).await,
            Command::Migrate(arguments) => migrate::run(arguments).await,
            Command::HoldAll(arguments) => hold_all::run(arguments).await,
            Command::Bulk(arguments) => bulk::run(arguments).await,
            Command::SetupFineract(arguments) => setup_fineract::run(arguments).await,
        }
    })
}
