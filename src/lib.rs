//! Durable, ordered, exactly-one-effect execution of loan operations against Apache Fineract.
//!
//! The map, from the outside in (`tests/it/tidy.rs` holds the arrows):
//!
//! | module | owns |
//! | --- | --- |
//! | [`cli`] | one file per subcommand |
//! | [`http`] | what callers see: routes, tokens, errors |
//! | [`sandbox`] | a stand-in for Fineract, as recorded |

pub mod cli;
pub mod domain;
pub mod http;
pub mod operations;
pub mod sandbox;
pub mod store;
