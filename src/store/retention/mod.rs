//! Retention: ended operations leave the hot tables by age, into an archive with a partition for each month; old months of
//! the archive are dropped as a whole (`docs/adr/0047-ended-operations-move-to-an-archive.md`).
//!
//! Reads of single operations look into the hot tables first; lists walk along the views `known_…`, which are the hot
//! tables and the archive together. What must be known for ever (ids, UTRs, who was run again) is in `past_operation` and
//! `past_reference`.

mod archive;
mod dropped;
mod export;
mod lease;
mod run;
mod status;

use std::{path::PathBuf, time::Duration};

use uuid::Uuid;

pub use self::{
    dropped::DroppedOperation,
    status::{ArchivedMonth, LastRun, RetentionStatus},
};
use super::{Pool, Store};

/// How long operations are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionSettings {
    /// How long after its end an operation stays in the hot tables; at least a day.
    pub hot_for: Duration,
    /// How long after their end all operations of a month are kept. `None`: for ever.
    pub kept_for: Option<Duration>,
}

/// What a run has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionReport {
    /// How many operations it has archived.
    pub archived: i64,
    /// How many operations were old enough, but must stay in the hot tables.
    pub kept: i64,
    /// How many months of the archive it has dropped.
    pub dropped: i32,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetentionRun {
    /// It has done all that there was to do.
    Done(RetentionReport),
    /// Another process is at it, or has taken it over.
    Elsewhere,
    /// A gateway runs that does not know the archive, so nothing may be archived.
    OlderGateway,
}

/// Archives ended operations, and drops old months.
#[derive(Clone, Debug)]
pub struct Retention {
    pool: Pool,
    /// This process, in the lease.
    process: Uuid,
    export_to: Option<PathBuf>,
}

impl Store {
    /// What archives ended operations.
    pub fn retention(&self) -> Retention {
        Retention::new(self.pool.clone())
    }
}

impl Retention {
    /// Works on this database.
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            process: Uuid::now_v7(),
            export_to: None,
        }
    }

    /// Exports each month to a new file in this folder before it is dropped. `None`: does not.
    #[must_use]
    pub fn exporting_to(self, folder: Option<PathBuf>) -> Self {
        Self {
            export_to: folder,
            ..self
        }
    }
}
