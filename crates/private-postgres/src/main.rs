//! `private-postgres run -- COMMAND` runs a command beside a private Postgres.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use anyhow::Context as _;
use clap::Parser as _;
use private_postgres::{Options, PrivatePostgres};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

/// Runs a private Postgres with the Postgres programs that are installed on this machine. The server stops when the
/// process that started it ends, and leaves no files behind.
#[derive(Debug, clap::Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Subcommand,
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    /// Starts a private Postgres, and runs a command with the URL of the server in `DATABASE_URL`. Returns the exit
    /// code of the command.
    Run {
        /// Does not flush data to the disk. This makes tests faster.
        #[arg(long)]
        no_fsync: bool,
        /// The command to run, with its arguments.
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

/// The exit code after an error of this program, for example if the command cannot be started.
const NOT_RUN: u8 = 2;

#[tokio::main]
#[expect(clippy::print_stderr, reason = "this program has no log")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("private-postgres: {error:#}");
            ExitCode::from(NOT_RUN)
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Subcommand::Run { no_fsync, command } = arguments.command;
    let (program, words) = command.split_first().context("no command was given")?;
    let postgres = PrivatePostgres::start(Options {
        durable: !no_fsync,
        ..Options::default()
    })?;
    let mut command = Command::new(program);
    command
        .args(words)
        .env("DATABASE_URL", postgres.url("postgres"))
        .kill_on_drop(true);
    let status = run_to_the_end(command)
        .await
        .with_context(|| format!("cannot run {}", program.display()))?;
    postgres.stop()?;
    Ok(exit_code(status))
}

/// Starts the command and waits for its end. Ignores a Ctrl-C, because the terminal sends the same signal to the
/// command. Kills the command when a SIGTERM arrives.
async fn run_to_the_end(mut command: Command) -> std::io::Result<ExitStatus> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    let mut child = command.spawn()?;
    loop {
        tokio::select! {
            status = child.wait() => return status,
            _ = interrupts.recv() => {}
            _ = terminations.recv() => child.start_kill()?,
        }
    }
}

/// The exit code that a shell would report: the exit code of the command, or 128 plus the number of the signal that
/// ended the command.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from)
}
