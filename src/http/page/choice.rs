//! The actions that the list offers for many operations.

use serde::Deserialize;

use crate::{
    domain::Resolution,
    store::{RepairAction, RepairOptions},
};

/// What a repair does, as the list's form says it.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Choice {
    Retry,
    Hold,
    Release,
    Cancel,
    Succeeded,
    Failed,
}

impl Choice {
    /// The action of the operators' API.
    pub(super) const fn action(self) -> RepairAction {
        match self {
            Self::Retry => RepairAction::Retry,
            Self::Hold => RepairAction::Hold,
            Self::Release => RepairAction::Release,
            Self::Cancel => RepairAction::Cancel,
            Self::Succeeded | Self::Failed => RepairAction::Resolve,
        }
    }

    /// Whether it states how operations ended.
    pub(super) const fn is_resolution(self) -> bool {
        self.outcome().is_some()
    }

    const fn outcome(self) -> Option<Resolution> {
        match self {
            Self::Succeeded => Some(Resolution::Succeeded),
            Self::Failed => Some(Resolution::Failed),
            Self::Retry | Self::Hold | Self::Release | Self::Cancel => None,
        }
    }

    /// The value in the forms.
    pub(super) const fn value(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Retry | Self::Hold | Self::Release | Self::Cancel => self.action().as_str(),
        }
    }

    /// What it does, after "to".
    pub(super) const fn in_words(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Hold => "put on hold",
            Self::Release => "release",
            Self::Cancel => "cancel",
            Self::Succeeded => "resolve as “it took effect”",
            Self::Failed => "resolve as “it had no effect”",
        }
    }

    /// What the action needs besides the operation.
    pub(super) fn options(self, nothing_waits: bool) -> RepairOptions {
        RepairOptions {
            outcome: self.outcome(),
            nothing_waits: nothing_waits && self.outcome().is_some(),
            expires_at: None,
        }
    }
}
