//! The lab's commands, as processes.
#![expect(
    clippy::expect_used,
    reason = "helpers of tests are not #[test] functions themselves"
)]

/// The program whose commands are run.
const PROGRAM: &str = env!("CARGO_BIN_EXE_gateway-lab");

mod bulk_measure;
#[path = "../../../../tests/it/support/command.rs"]
mod command;
mod demo;
mod served_sandbox;
