//! The API as an OpenAPI 3.1 document, for people, for clients that are generated, and for tests.
//!
//! - Paths and methods come from the tables of which the router is made ([`routes`](mod@super::routes)).
//! - The fields of `data` come from the rules that check them ([`Entry::fields`](crate::operations::Entry)).
//! - The bodies of answers come from the structs that are serialized.
//! - Statuses, codes and headers of errors come from the errors themselves.
//!
//! The rest is one table for each group of routes: what a route is for, and what it takes and answers. A test compares
//! these tables with the router.

mod bulk;
mod document;
mod endpoint;
mod events;
mod examples;
mod keys;
mod lists;
mod operations;
mod operators;
mod parameters;
mod payload;
mod probes;
mod prose;
mod refusals;
mod repairs;
mod schemas;
mod security;
mod send;
mod system;
mod transactions;
mod webhooks;

pub(super) use self::{
    document::{document, whole_document},
    send::{Document, send_document},
};
