//! The gateway as `prove` breaks it: built with points at which it ends or stops itself, and with what it may do wrong on
//! purpose. Otherwise the product's own binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    fineract_gateway::cli::run()
}
