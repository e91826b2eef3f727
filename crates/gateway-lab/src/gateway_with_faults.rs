//! The gateway that `prove` runs when it injects faults. It is the product's own binary, built with fault points (at
//! which a gateway ends or stops itself) and with sabotages (deliberate errors).

use std::process::ExitCode;

fn main() -> ExitCode {
    fineract_gateway::cli::run()
}
