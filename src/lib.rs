//! Durable, ordered, exactly-one-effect execution of loan operations against Apache Fineract.
//!
//! The map, from the outside in (`tests/it/tidy.rs` holds the arrows):
//!
//! | module | owns |
//! | --- | --- |
//! | [`cli`] | one file per subcommand |
//! | [`config`] | the settings, read once and checked all at once |
//! | [`embedded_postgres`] | a private Postgres for `demo` and tests |
//! | [`http`] | what callers see: routes, tokens, errors |
//! | [`sandbox`] | a stand-in for Fineract, as recorded |
//! | [`telemetry`] | the log |

pub mod cli;
pub mod config;
pub mod domain;
pub mod embedded_postgres;
pub mod http;
pub mod operations;
pub mod sandbox;
pub mod store;
pub mod telemetry;
