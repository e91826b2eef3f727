//! Every integration test, in one binary.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests are not #[test] functions themselves"
)]

mod bad_start;
mod config;
mod crowd;
mod demo;
mod embedded_postgres;
mod http_health;
mod http_log;
mod http_operate;
mod http_routes;
mod http_track;
mod http_wait;
mod lanes;
mod lifecycle;
mod refusals;
mod replay;
mod sandbox;
mod setup_fineract;
mod support;
mod tidy;
