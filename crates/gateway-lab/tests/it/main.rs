//! The lab's commands, as processes.
#![expect(
    clippy::expect_used,
    reason = "helpers of tests are not #[test] functions themselves"
)]

mod bulk_measure;
mod command;
mod demo;
mod served_sandbox;
