//! Every integration test, in one binary.
#![expect(
    clippy::expect_used,
    reason = "helpers of tests are not #[test] functions themselves"
)]

mod replay;
mod sandbox;
