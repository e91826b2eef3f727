//! Erases people's data of a client and its loans: in payloads, commands, answers and results of ended operations.

mod beside;
mod client;
mod open;
mod subject;
mod texts;

pub use self::client::erase;
use super::{StoreError, TrackingName};

const ACTION: &str = "erase people's data";

/// How many operations are read and written together.
const CHUNK: usize = 100;

/// What was erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// How many operations the client and its loans have.
    pub operations: usize,
    /// How many loans the client has, as far as the gateway knows.
    pub loans: usize,
    /// How many rows of batches were refused, of which a payload or names were kept.
    pub rows: usize,
    /// The ended operations whose commands are as they were, because a worker may have to send them again. The rest of these
    /// operations is erased.
    pub commands_kept: Vec<TrackingName>,
}

/// Why nothing was erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The gateway knows no client with this external id.
    #[error("there is no such client")]
    UnknownClient,
    /// Operations have not ended, or were sent within the last day without an answer that shows what became of them.
    #[error("these operations are open, or Fineract may still answer a command of them: {}", names(.0))]
    Open(Vec<TrackingName>),
    /// A gateway of an older version runs. It would send again what was erased.
    #[error("a gateway of an older version runs; update it first")]
    OlderGateway,
    /// A month of the archive is being exported. Its file would have what is erased here.
    #[error(
        "a month of the archive is being exported; try again when `retention status` shows that the run has ended"
    )]
    Exporting,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn names(operations: &[TrackingName]) -> String {
    let names: Vec<_> = operations.iter().map(ToString::to_string).collect();
    names.join(", ")
}
