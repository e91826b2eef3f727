//! Repairs: one action of an operator on all operations that match a filter.
//!
//! The operations are chosen when the repair is started, and stored with what was seen of each. A gateway then acts on
//! one after the other, by the same actions that operators have for single operations (`http::operators::run_repairs`).
//! The audit row of an action names the repair, and the database permits one such row for each operation. So a repair
//! acts on each operation once, also after a crash.

mod choose;
mod read;
mod run;
mod start;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{NoIndex, OperationFilter};
use crate::{
    domain::Resolution,
    store::{Listed, StoreError, TrackingName},
};

pub use self::{
    read::{Repair, RepairReport, RepairRow},
    run::{ClaimedRepair, RowOutcome, RowToRepair, RowTurn},
};

/// The largest number of operations of one repair.
pub(super) const LARGEST: usize = 50_000;
/// How many operations a preview shows.
pub(super) const SAMPLE: usize = 20;

/// The action of a repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairAction {
    /// Continue parked operations, and accept failed ones again.
    Retry,
    /// End operations that were never sent.
    Cancel,
    /// Put operations on hold.
    Hold,
    /// Release operations that are on hold.
    Release,
    /// State how parked operations ended.
    Resolve,
}

impl RepairAction {
    /// The name in the API and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Cancel => "cancel",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Resolve => "resolve",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        let all = [
            Self::Retry,
            Self::Cancel,
            Self::Hold,
            Self::Release,
            Self::Resolve,
        ];
        all.into_iter().find(|action| action.as_str() == name)
    }
}

/// What an action needs besides the operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairOptions {
    /// How the operations ended; only for `resolve`.
    pub outcome: Option<Resolution>,
    /// Whether the operator has made sure that no command waits for a checker; only for `resolve`.
    #[serde(default)]
    pub nothing_waits: bool,
    /// Replaces the time until which the operations may be sent; only for `retry`.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The operations of a repair. In the database and in the API, the ids are an object `{"ids": […]}`.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum RepairOf {
    /// All that match a filter.
    Filter(Box<OperationFilter>),
    /// Those that an operator has selected.
    Selected {
        /// Their ids.
        ids: Vec<Uuid>,
    },
}

/// What an operator expects of a repair, after a preview.
#[derive(Clone, Copy, Debug)]
pub enum Expected<'a> {
    /// So many operations, or at most 10 % more.
    About(usize),
    /// The operations of the preview with this digest, exactly as they were seen then.
    Seen(&'a str),
}

/// A repair that an operator asks for.
#[derive(Clone, Debug)]
pub struct NewRepair {
    /// The repair. A start of a repair that has been started already has no effect.
    pub id: Uuid,
    /// What to do.
    pub action: RepairAction,
    /// With which operations.
    pub operations: RepairOf,
    /// What the action needs besides the operation.
    pub options: RepairOptions,
    /// Failed operations that are run again although a later operation of the same type has succeeded or is open.
    pub named: Vec<Uuid>,
}

/// What a repair would do.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "RepairPreview")]
pub struct Preview {
    /// How many operations the repair would act on.
    pub matches: usize,
    /// How many of them have each operation type.
    pub types: BTreeMap<String, usize>,
    /// How many of them have each reason code.
    pub reason_codes: BTreeMap<String, usize>,
    /// How many of them are on hold, or were on hold when they ended.
    pub on_hold: usize,
    /// A digest of these operations and of what was seen of each, in hexadecimal digits.
    #[serde(skip)]
    pub digest: String,
    /// The first of them, at most 20, in the order in which the repair acts.
    pub sample: Vec<Listed>,
    /// The operations that match the filter and would not be touched, by reason.
    pub left_out: Vec<LeftOut>,
}

/// Operations that match the filter of a repair, and which the repair does not touch.
#[derive(Debug, JsonSchema, Serialize)]
pub struct LeftOut {
    /// The code of the reason.
    pub code: &'static str,
    /// The reason, as a sentence.
    pub why: String,
    /// How many operations.
    pub count: usize,
    /// The first of them, at most 20.
    pub sample: Vec<TrackingName>,
}

/// Why a repair was not started.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// No index serves the filter.
    #[error("no index serves this filter")]
    NoIndex(NoIndex),
    /// More than [`LARGEST`] operations match.
    #[error("More than 50000 operations match: narrow the filter.")]
    TooMany,
    /// More operations match than the operator expected.
    #[error(
        "{matches} operations match now, more than 10 % above the {expected} that were expected: look at the preview again."
    )]
    MoreThanExpected {
        /// How many match.
        matches: usize,
        /// How many the operator expected.
        expected: usize,
    },
    /// The operations are not those of the preview any more, or not as they were seen then.
    #[error("The operations have changed since the preview: look at it again.")]
    NotAsSeen,
    /// No repair has this id.
    #[error("There is no repair with this id.")]
    Unknown,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
