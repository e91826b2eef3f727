//! `events tail`: prints what happens to the caller's own operations.

use std::{pin::pin, process::ExitCode};

use tokio::signal::ctrl_c;

use super::{
    caller::Caller,
    connection::parse,
    feed::{Event, Feed},
    print::Printer,
};
use crate::telemetry;

/// The arguments of `events`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print each event of your operations as it happens, until Ctrl-C; a failure that is printed counts as read.
    Tail(TailArguments),
}

/// The arguments of `events tail`.
#[derive(Debug, clap::Args)]
struct TailArguments {
    #[command(flatten)]
    caller: Caller,
    /// Begin after this cursor, instead of now; 0 begins with the oldest event.
    #[arg(long, value_name = "CURSOR", value_parser = clap::value_parser!(i64).range(0..))]
    after: Option<i64>,
    /// Print each event as a line of JSON, whose `number` is its cursor.
    #[arg(long)]
    json: bool,
}

/// Prints events until Ctrl-C, or until the reader closes the pipe.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Command::Tail(TailArguments {
        caller,
        after,
        json,
    }) = arguments.command;
    let mut feed = Feed::begin(caller.connect()?, after).await?;
    let mut printer = Printer::default();
    let mut interrupted = pin!(ctrl_c());
    while !printer.is_closed() {
        let events = tokio::select! {
            events = feed.next() => events?,
            _ = &mut interrupted => break,
        };
        for event in events {
            if json {
                printer.line(event.get())?;
            } else {
                printer.line(&parse::<Event>(event.get())?.line())?;
            }
        }
    }
    let cursor = feed.cursor();
    telemetry::print_line(&format!("fineract-gateway: continue with --after {cursor}"));
    Ok(ExitCode::SUCCESS)
}
