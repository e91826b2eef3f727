//! The command line: one file per subcommand, each of which reads its own arguments.

pub mod sandbox;

use std::process::ExitCode;

/// Runs the subcommand that the arguments name.
pub fn run() -> ExitCode {
    ExitCode::SUCCESS
}
