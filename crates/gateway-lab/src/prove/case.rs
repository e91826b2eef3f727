//! What callers do in a round: stories about one client or one loan each, told side by side.

use std::time::Duration;

use fastrand::Rng;

use super::{
    actions::Action,
    encounters::Encounter,
    requests::Request,
    scenarios::{Names, SCENARIOS, scenario_of_rare},
};
use fineract_gateway::domain::OperationType;

/// What happens next in a story.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// An operation is sent, and its acceptance waited for.
    Send(Request),
    /// A batch is sent and stopped, and what failed of it sent again.
    Batch(Vec<Request>),
    /// All that this story has sent so far ends.
    Ended,
    /// Nothing is done for so long.
    Pause(Duration),
    /// Another writer, or Fineract itself, does something.
    Other(Action),
}

/// One story.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// When it begins, after the start of the round.
    pub(super) begins: Duration,
    /// Whether it begins only when what the others have sent has come to an end.
    pub(super) comes_last: bool,
    /// What happens, in order.
    pub(super) steps: Vec<Step>,
}

/// Within how long the stories begin.
const BEGINNINGS: u64 = 2_000;

/// How often more the plot of a rare type is told for each gateway that has an order with one.
const RARE: usize = 4;

/// The stories of a round, and those that its orders and its faults want.
pub(super) fn cases(
    round: u32,
    ordered: &[OperationType],
    encounters: &[&Encounter],
    rng: &mut Rng,
) -> Vec<Case> {
    let mut cases = Vec::new();
    let rare = ordered.iter().copied().filter_map(scenario_of_rare);
    let told = SCENARIOS
        .into_iter()
        .chain(rare.map(|scenario| (scenario, RARE)));
    for scenario in told.flat_map(|(scenario, count)| std::iter::repeat_n(scenario, count)) {
        let mut names = Names {
            round,
            case: cases.len(),
            rng,
        };
        let steps = scenario(&mut names);
        let begins = Duration::from_millis(rng.u64(0..BEGINNINGS));
        cases.push(Case {
            begins,
            comes_last: false,
            steps,
        });
    }
    for encounter in encounters {
        let names = Names {
            round,
            case: cases.len(),
            rng,
        };
        cases.push(Case {
            begins: Duration::ZERO,
            comes_last: encounter.comes_last,
            steps: (encounter.scenario)(&names.client(), &names.loan(0)),
        });
    }
    cases
}
