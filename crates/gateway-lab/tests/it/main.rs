//! Tests that run the lab's commands as processes.
#![expect(
    clippy::expect_used,
    reason = "helpers of tests are not #[test] functions themselves"
)]

/// The program that the tests run.
const PROGRAM: &str = env!("CARGO_BIN_EXE_gateway-lab");

mod bulk_measure;
#[path = "../../../../tests/it/support/command.rs"]
mod command;
mod demo;
#[path = "../../../../tests/it/support/eventually.rs"]
#[expect(
    dead_code,
    reason = "these tests wait for processes, which have waits of their own"
)]
mod eventually;
