//! The command line. Each subcommand has a file that defines its arguments.

mod audit;
pub mod bulk;
mod caller;
mod connection;
mod doctor;
mod events;
mod feed;
mod health;
mod hold_all;
mod keys;
pub mod lab;
mod migrate;
mod operate;
mod ops;
mod patience;
mod print;
mod serve;
pub mod settings;
pub mod setup_fineract;
mod track;
mod wait;
mod webhooks;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::{telemetry, traces};

/// The exit code of a command that ended with an error, for example because a setting is wrong or the database is
/// unavailable. clap uses the same exit code for wrong arguments.
const BAD_START: u8 = 2;

/// Run loan operations against Apache Fineract: durably, in order, and never twice.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run the gateway until SIGTERM, SIGHUP or Ctrl-C.
    Serve(serve::Arguments),
    /// Migrate the schema of the database to the version of this gateway, or compare the two.
    Migrate(migrate::Arguments),
    /// Verify that nobody has changed the audit.
    Audit(audit::Arguments),
    /// Put everything on hold, for every gateway on the database, until operators release it.
    HoldAll(hold_all::Arguments),
    /// Create, list, rotate and revoke keys of callers and operators, in the database.
    Keys(keys::Arguments),
    /// Submit one operation, as a caller.
    Operate(operate::Arguments),
    /// Show what has become of operations, as a caller.
    Track(track::Arguments),
    /// Wait until an operation has ended, as a caller; the exit code is 0 (success), 1 (failed) or 3 (it still runs).
    Wait(wait::Arguments),
    /// Follow what happens to your own operations, as a caller.
    Events(events::Arguments),
    /// Try a receiver of webhooks, and manage your endpoints, as a caller.
    Webhooks(webhooks::Arguments),
    /// Send a file of operations as one batch, show its status, or send its failed rows again.
    Bulk(bulk::Arguments),
    /// List, show and repair operations, as an operator.
    Ops(ops::Arguments),
    /// Check the settings, the database and Fineract, and report all problems at once; changes nothing.
    Doctor(doctor::Arguments),
    /// Ask the process of a gateway whether it is alive; the exit code is 1 if it is not.
    Health(health::Arguments),
    /// Create the objects that a new Fineract lacks before its first loan: currency, payment type, charge, products.
    SetupFineract(setup_fineract::Arguments),
}

/// Runs the subcommand. If it ends with an error, prints the error as one line.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let executed = execute(cli.command);
    traces::flush();
    telemetry::flush();
    match executed {
        Ok(code) => code,
        Err(error) => {
            telemetry::print_line(&format!("fineract-gateway: {error:#}"));
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
            Command::Audit(arguments) => Box::pin(audit::run(arguments)).await,
            Command::HoldAll(arguments) => hold_all::run(arguments).await,
            Command::Keys(arguments) => Box::pin(keys::run(arguments)).await,
            Command::Operate(arguments) => Box::pin(operate::run(arguments)).await,
            Command::Track(arguments) => track::run(arguments).await,
            Command::Wait(arguments) => wait::run(arguments).await,
            Command::Events(arguments) => events::run(arguments).await,
            Command::Webhooks(arguments) => Box::pin(webhooks::run(arguments)).await,
            Command::Bulk(arguments) => bulk::run(arguments).await,
            Command::Ops(arguments) => Box::pin(ops::run(arguments)).await,
            Command::Doctor(arguments) => Box::pin(doctor::run(arguments)).await,
            Command::Health(arguments) => health::run(arguments).await,
            Command::SetupFineract(arguments) => setup_fineract::run(arguments).await,
        }
    })
}
