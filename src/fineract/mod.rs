//! The only HTTP client for Fineract: commands, reads, and the look-ups that operations request.
//!
//! This module returns what Fineract answered. [`domain::decision`](crate::domain::decision) decides what the answer
//! means.

mod accounts;
mod audits;
mod cache;
mod checkers;
mod client;
mod diagnose;
mod exchange;
mod key_probe;
mod lookups;
mod permits;
mod referents;
mod uptime;

pub use self::{
    accounts::Account,
    client::{Fineract, SetupError},
    diagnose::{Contact, ContactFailure},
    exchange::{Exchange, Kind, Observer},
    lookups::{ReadFailure, Subject},
    permits::{Permit, Permits},
    referents::Shown,
    uptime::Process,
};
