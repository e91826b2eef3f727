//! `ops`: what operators do, from the command line. It is a client of the operators' API and does nothing that the API
//! does not do.
//!
//! | file | content |
//! | --- | --- |
//! | `list`, `show` | reading operations |
//! | `act` | an action on operations that are named by their ids |
//! | `act_on_all` | an action on all operations that match a filter (a repair) |
//! | `repair` | showing and stopping repairs |
//! | `tail` | the stream of events |
//! | `gateway`, `filter` | the gateway that is asked; the syntax of `--where` |

mod act;
mod act_on_all;
mod filter;
mod gateway;
mod list;
mod repair;
mod show;
mod tail;

use std::process::ExitCode;

use crate::store::RepairAction;

/// The arguments of `ops`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List operations.
    List(list::Arguments),
    /// Show an operation: why it is in its state, its attempts, and what an operator may do now.
    Show(show::Arguments),
    /// Continue parked operations, and run failed operations again as new operations.
    Retry(act::RetryArguments),
    /// End operations that were never sent.
    Cancel(act::Arguments),
    /// Put operations on hold, so that they are not sent.
    Hold(act::Arguments),
    /// Release operations that are on hold.
    Release(act::Arguments),
    /// State how parked operations ended.
    Resolve(act::ResolveArguments),
    /// Show the newest repairs or one repair, or stop a repair.
    Repair(repair::Arguments),
    /// Print each event as it happens.
    Tail(tail::Arguments),
}

/// Runs a subcommand. The exit code is 1 if an action was not carried out on one of the operations.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let is_done = match arguments.command {
        Command::List(arguments) => list::run(arguments).await?,
        Command::Show(arguments) => show::run(arguments).await?,
        Command::Retry(arguments) => act::retry(arguments).await?,
        Command::Cancel(arguments) => act::run(RepairAction::Cancel, arguments).await?,
        Command::Hold(arguments) => act::run(RepairAction::Hold, arguments).await?,
        Command::Release(arguments) => act::run(RepairAction::Release, arguments).await?,
        Command::Resolve(arguments) => act::resolve(arguments).await?,
        Command::Repair(arguments) => repair::run(arguments).await?,
        Command::Tail(arguments) => tail::run(arguments).await?,
    };
    Ok(if is_done {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
