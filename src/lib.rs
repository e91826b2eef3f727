//! Durable, ordered, exactly-one-effect execution of loan operations against Apache Fineract.
//!
//! The map, from the outside in (`tests/it/tidy.rs` holds the arrows):
//!
//! | module | owns |
//! | --- | --- |
//! | [`cli`] | one file per subcommand |
//! | [`app`] | the wiring of a running gateway, its start and its end |
//! | [`http`] | what callers see: routes, tokens, errors |
//! | [`worker`] | claim → attempt → settle |
//! | [`operations`] | one file per operation type: payload, checks, what to read, send and believe |
//! | [`store`] | the only SQL: the queue in Postgres |
//! | [`fineract`] | the only caller of Fineract |
//! | [`domain`] | the vocabulary, and the decision what an answer means |
//! | [`config`] | the settings, read once and checked all at once |
//! | [`points`] | where `prove` kills or stops a gateway |
//! | [`table`] | CSV as people make it, read strictly |
//! | [`telemetry`] | the log |
//! | [`tls`] | how HTTP clients are made |

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
pub mod worker;
