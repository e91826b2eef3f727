//! Every integration test, in one binary.
#![expect(
    clippy::expect_used,
    reason = "helpers of tests are not #[test] functions themselves"
)]

mod lanes;
mod config;
mod embedded_postgres;
mod tidy;
