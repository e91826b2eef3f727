//! Every integration test, in one binary.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests are not #[test] functions themselves"
)]

/// The program that the tests run.
const PROGRAM: &str = env!("CARGO_BIN_EXE_fineract-gateway");

mod attacks;
mod audit;
mod bad_start;
mod books;
mod bulk;
mod claims_on_accept;
mod cli_caller;
mod config;
mod connections;
mod crowd;
mod dead_connections;
mod dependency_failure;
mod deploy;
mod doctor;
mod early_answers;
mod erase;
mod events;
mod expiry;
mod failover;
mod fake_fineract;
mod hold_all;
mod hold_and_expiry;
mod http_health;
mod http_log;
mod http_operate;
mod http_routes;
mod http_track;
mod http_track_many;
mod http_wait;
mod idempotency;
mod key_probes;
mod keys;
mod lanes;
mod lenders;
mod lifecycle;
mod limits;
mod log_reader;
mod long_transaction;
mod migrate_check;
mod more_operations;
mod open_routes;
mod openapi;
mod operators_cancel;
mod operators_counts;
mod operators_inspect;
mod operators_list;
mod operators_repairs;
mod operators_resolve;
mod operators_resolve_checker;
mod operators_retry;
mod operators_scope;
mod operators_search;
mod operators_status;
mod operators_texts;
mod ops_command;
mod outcomes;
mod page;
mod poll_loop;
mod poolers;
mod products;
mod rate_limit;
mod recorded_reads;
mod recovery;
mod references;
mod refusals;
mod retention;
mod roles;
mod row_locks;
mod setup_fineract;
mod shutdown;
mod standby;
mod support;
mod tidy;
mod traces;
mod transactions;
mod unknown_type;
mod webhooks;
