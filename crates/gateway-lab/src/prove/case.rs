//! The cases of a round. In each case, callers and others do something with one client or loan. The cases run in
//! parallel.

use std::time::Duration;

use fastrand::Rng;

use super::{
    actions::Action,
    encounters::Encounter,
    requests::Request,
    scenarios::{Names, SCENARIOS, scenario_of_rare},
};
use fineract_gateway::domain::OperationType;

/// One step of a case.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Sends an operation and waits for its acceptance.
    Send(Request),
    /// Submits a batch, cancels it, and retries its failed rows.
    Batch(Vec<Request>),
    /// Waits until everything that this case has sent so far has ended.
    AwaitEnds,
    /// Waits until a webhook has told of a failure in this case.
    AwaitFailureTold,
    /// Pauses for this time.
    Pause(Duration),
    /// Performs an action of another writer, or of Fineract.
    Act(Action),
}

/// One run of a scenario.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// How long after the start of the round the case begins.
    pub(super) begins: Duration,
    /// Whether the case begins only after the operations of all other cases have ended or are parked.
    pub(super) comes_last: bool,
    /// The steps, in order.
    pub(super) steps: Vec<Step>,
}

/// The cases begin within this time after the start of the round, in milliseconds.
const BEGIN_WITHIN_MS: u64 = 2_000;

/// How many more cases a round gets for each injection that waits for a rare operation type.
const CASES_PER_RARE_TYPE: usize = 4;

/// The cases of a round: the cases of every round, the cases for injections with rare types, and the encounters.
pub(super) fn cases(
    round: u32,
    injected_types: &[OperationType],
    encounters: &[&Encounter],
    rng: &mut Rng,
) -> Vec<Case> {
    let mut cases = Vec::new();
    let rare = injected_types.iter().copied().filter_map(scenario_of_rare);
    let scenarios = SCENARIOS
        .into_iter()
        .chain(rare.map(|scenario| (scenario, CASES_PER_RARE_TYPE)));
    for scenario in scenarios.flat_map(|(scenario, count)| std::iter::repeat_n(scenario, count)) {
        let mut names = Names {
            round,
            case: cases.len(),
            rng,
        };
        let steps = scenario(&mut names);
        let begins = Duration::from_millis(rng.u64(0..BEGIN_WITHIN_MS));
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
