//! The `fineract-gateway` binary: reads the arguments and hands over to [`fineract_gateway::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    fineract_gateway::cli::run()
}
