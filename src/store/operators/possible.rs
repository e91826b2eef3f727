//! Which actions are possible on an operation now, and why not. The actions themselves decide again, under their locks.

use schemars::JsonSchema;
use serde::Serialize;

use super::{RepairAction, Unfit};
use crate::{domain::State, store::TrackingName};

/// An action, and whether it is possible now. A worker may change this at any moment.
#[derive(Debug, JsonSchema, Serialize)]
pub struct PossibleAction {
    /// The action.
    pub action: &'static str,
    /// Whether it is possible.
    pub possible: bool,
    /// The code of the reason why it is not possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// The reason, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
}

/// What the actions depend on, besides the state and the hold.
#[derive(Debug)]
pub(super) struct Circumstances<'a> {
    /// The operation that runs this operation again.
    pub(super) retried_by: Option<&'a TrackingName>,
    /// Whether an attempt was ever committed.
    pub(super) was_sent: bool,
    /// Whether `expires_at` has passed.
    pub(super) is_past_expiry: bool,
    /// Whether people's data in it was erased.
    pub(super) is_erased: bool,
}

/// All actions on a single operation with this state and hold, and whether they are possible.
pub(super) fn possible_actions(
    (state, is_on_hold): (&str, bool),
    around: &Circumstances<'_>,
) -> Vec<PossibleAction> {
    let actions = [
        RepairAction::Retry,
        RepairAction::Cancel,
        RepairAction::Hold,
        RepairAction::Release,
        RepairAction::Resolve,
    ];
    let possible = actions.map(|action| {
        let unfit = unfit(action, (state, is_on_hold), around);
        PossibleAction {
            action: action.as_str(),
            possible: unfit.is_none(),
            code: unfit.as_ref().map(Unfit::code),
            why_not: unfit.map(|unfit| unfit.to_string()),
        }
    });
    possible.into()
}

/// Why an action is not possible on an operation with this state and hold. `None`: it is possible. The state of a newer
/// gateway is unknown and permits nothing.
pub(super) fn unfit(
    action: RepairAction,
    (state, is_on_hold): (&str, bool),
    around: &Circumstances<'_>,
) -> Option<Unfit> {
    let Some(state) = State::from_name(state) else {
        return Some(Unfit::UnderWay);
    };
    let has_ended = matches!(state, State::Succeeded | State::Failed);
    match action {
        RepairAction::Retry => retry(state, around),
        RepairAction::Cancel | RepairAction::Hold if state == State::Running => {
            Some(Unfit::Running)
        }
        RepairAction::Cancel
        | RepairAction::Hold
        | RepairAction::Release
        | RepairAction::Resolve
            if has_ended =>
        {
            Some(Unfit::Ended)
        }
        RepairAction::Cancel => around.was_sent.then_some(Unfit::Sent),
        RepairAction::Hold => (state == State::Parked).then_some(Unfit::Parked),
        RepairAction::Release => (!is_on_hold).then_some(Unfit::NotOnHold),
        RepairAction::Resolve => {
            let is_fit = state == State::Parked || (state == State::Ready && is_on_hold);
            (!is_fit).then_some(Unfit::NotParked)
        }
    }
}

fn retry(state: State, around: &Circumstances<'_>) -> Option<Unfit> {
    match state {
        State::Parked => None,
        State::Failed => match around.retried_by {
            Some(retry) => Some(Unfit::Retried(retry.clone())),
            None if around.is_erased => Some(Unfit::Erased),
            None => around.is_past_expiry.then_some(Unfit::Expired),
        },
        State::Succeeded => Some(Unfit::Ended),
        State::Waiting | State::Ready | State::Running => Some(Unfit::UnderWay),
    }
}
