//! The only caller of Fineract: commands, reads, and the look-ups that operations ask for.
//!
//! It says what came back; what that means is decided in [`domain::decision`](crate::domain::decision).

mod accounts;
mod audits;
mod cache;
mod checkers;
mod client;
mod exchange;
mod key_probe;
mod lookups;
mod permits;
mod referents;
mod uptime;

pub use self::{
    accounts::Account,
    client::{Fineract, SetupError},
    exchange::{Exchange, Kind, Observer},
    lookups::{ReadFailure, Subject},
    permits::{Permit, Permits},
    referents::Shown,
    uptime::Process,
};
