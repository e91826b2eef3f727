//! Erases people's data of a client and its loans: in payloads, commands, answers and results of ended operations.

mod client;
mod subject;
mod texts;

pub use self::client::erase;
use super::{StoreError, TrackingName};

const ACTION: &str = "erase people's data";

/// How many operations are read and written together.
const CHUNK: usize = 100;

/// What was erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// How many operations the client and its loans have.
    pub operations: usize,
    /// How many loans the client has, as far as the gateway knows.
    pub loans: usize,
}

/// Why nothing was erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The gateway knows no client with this external id.
    #[error("there is no such client")]
    UnknownClient,
    /// Operations have not ended, or have a command that Fineract may still execute, so that their texts are needed.
    #[error("these operations are open, or Fineract may still execute a command of them: {}", names(.0))]
    Open(Vec<TrackingName>),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn names(operations: &[TrackingName]) -> String {
    let names: Vec<_> = operations.iter().map(ToString::to_string).collect();
    names.join(", ")
}
