//! A durable queue that runs loan operations against Apache Fineract in order, each with at most one effect.
//!
//! The modules, from the outside in (`tests/it/tidy` enforces which module may use which):
//!
//! | module | content |
//! | --- | --- |
//! | [`cli`] | the command line: one file for each subcommand |
//! | [`app`] | builds a running gateway from its parts, starts it and shuts it down |
//! | [`http`] | the APIs of callers and operators: routes, tokens, errors |
//! | [`worker`] | claims operations, runs them against Fineract and completes them |
//! | [`operations`] | one file or folder for each operation type: payload, checks, reads, command, evidence |
//! | [`store`] | the queue in Postgres; the only module with SQL |
//! | [`fineract`] | the only HTTP client for Fineract |
//! | [`domain`] | the types that all modules share, and the decision what an answer means |
//! | [`config`] | reads and checks all settings |
//! | [`points`] | fault points, at which `prove` ends or stops a gateway; empty in every build of the product |
//! | [`table`] | a strict CSV parser for files that people made |
//! | [`telemetry`] | the log and the metrics |
//! | [`tls`] | TLS of all HTTP clients and of accepted connections |
//! | [`traces`] | spans of operations, for a collector of traces |
//! | [`webhooks`] | signs and sends messages to the receivers of callers |

pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod fineract;
pub mod http;
pub mod operations;
pub mod points;
#[cfg(feature = "sabotage")]
pub mod sabotage;
pub mod store;
pub mod table;
pub mod telemetry;
pub mod tls;
pub mod traces;
pub mod webhooks;
pub mod worker;
