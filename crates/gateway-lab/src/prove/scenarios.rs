//! The scenarios of every round, each with random variations.

use std::time::Duration;

use fastrand::Rng;

use super::{
    case::Step,
    impatient::{corrected, hurried, in_a_batch},
    requests::{
        Request, SINGLE, TRANCHES, client_create, client_create_too_early, client_update,
        loan_approve, loan_create, loan_create_too_early, loan_delete, loan_disburse, loan_reject,
        loan_repayment, loan_undo_approval, loan_undo_disbursal, loan_update, loan_withdraw,
    },
};
use fineract_gateway::domain::OperationType;

/// The lenders whose products accept the terms of these requests.
const LENDERS: [&str; 6] = ["UGRO", "DMI", "ARTHMATE", "VIVRITI", "GB", "IKF"];
/// The names in a case. They are unique within the run.
pub(super) struct Names<'a> {
    pub(super) round: u32,
    pub(super) case: usize,
    pub(super) rng: &'a mut Rng,
}

impl Names<'_> {
    fn id(&self, kind: char, number: usize) -> String {
        format!("r{}-{kind}{}-{number}", self.round, self.case)
    }

    /// The external id of the client.
    pub(super) fn client(&self) -> String {
        self.id('c', 0)
    }

    /// The external id of a loan.
    pub(super) fn loan(&self, number: usize) -> String {
        self.id('l', number)
    }

    /// A last name that is unique within the run.
    pub(super) fn lastname(&self, number: usize) -> String {
        format!("Rao {}", self.id('n', number))
    }

    pub(super) fn lender(&mut self) -> &'static str {
        self.rng.choice(LENDERS).unwrap_or(SINGLE)
    }
}

/// Makes the steps of a case with these names.
pub(super) type Scenario = fn(&mut Names<'_>) -> Vec<Step>;

/// The scenarios, and how many cases of each scenario a round has.
pub(super) const SCENARIOS: [(Scenario, usize); 13] = [
    (lifecycle, 2),
    (lifecycle_step_by_step, 1),
    (hot_client, 1),
    (hot_loan, 2),
    (deleted, 2),
    (refused, 2),
    (paid_twice, 2),
    (repaid, 2),
    (undone, 3),
    (turned_away, 3),
    (corrected, 1),
    (hurried, 2),
    (in_a_batch, 1),
];

/// The scenario that contains this type, if the type is rare. A round has more cases of this scenario if an injection
/// waits for the type.
pub(super) fn scenario_of_rare(operation_type: OperationType) -> Option<Scenario> {
    match operation_type {
        OperationType::LoanReject | OperationType::LoanWithdraw => Some(turned_away),
        OperationType::LoanUndoApproval | OperationType::LoanUndoDisbursal => Some(undone),
        OperationType::ClientCreate
        | OperationType::ClientUpdate
        | OperationType::LoanCreate
        | OperationType::LoanUpdate
        | OperationType::LoanApprove
        | OperationType::LoanDisburse
        | OperationType::LoanDelete
        | OperationType::LoanRepayment => None,
    }
}

/// Sends these requests one after the other.
pub(super) fn send(requests: impl IntoIterator<Item = Request>) -> Vec<Step> {
    requests.into_iter().map(Step::Send).collect()
}

/// Sends all four steps of a loan without waiting for their ends, with some updates between the steps.
fn lifecycle(names: &mut Names<'_>) -> Vec<Step> {
    let (client, loan, lender) = (names.client(), names.loan(0), names.lender());
    let mut requests = vec![client_create(&client, &names.lastname(0))];
    if names.rng.bool() {
        requests.push(client_update(&client, &names.lastname(1)));
    }
    requests.push(loan_create(&loan, &client, lender));
    if names.rng.bool() {
        requests.push(loan_update(&loan, names.rng.i64(50..100) * 1_000));
    }
    requests.push(loan_approve(&loan));
    requests.push(loan_disburse(&loan, None));
    if names.rng.bool() {
        requests.push(client_update(&client, &names.lastname(2)));
    }
    send(requests)
}

/// Sends each step only after the step before has ended, as document 000 describes.
fn lifecycle_step_by_step(names: &mut Names<'_>) -> Vec<Step> {
    let (client, loan, lender) = (names.client(), names.loan(0), names.lender());
    let steps = send([
        client_create(&client, &names.lastname(0)),
        loan_create(&loan, &client, lender),
        loan_approve(&loan),
        loan_disburse(&loan, Some(40_000)),
    ]);
    steps
        .into_iter()
        .flat_map(|step| [step, Step::AwaitEnds])
        .collect()
}

/// Sends many updates of one client, with creates of its loans between them.
fn hot_client(names: &mut Names<'_>) -> Vec<Step> {
    let client = names.client();
    let mut requests = vec![client_create(&client, &names.lastname(0))];
    for number in 1..8 {
        requests.push(client_update(&client, &names.lastname(number)));
        if names.rng.bool() {
            requests.push(loan_create(&names.loan(number), &client, names.lender()));
        }
    }
    send(requests)
}

/// Sends many updates of one loan.
fn hot_loan(names: &mut Names<'_>) -> Vec<Step> {
    let (client, loan) = (names.client(), names.loan(0));
    let mut requests = vec![
        client_create(&client, &names.lastname(0)),
        loan_create(&loan, &client, SINGLE),
    ];
    for number in 1..5 {
        requests.push(loan_update(
            &loan,
            number * 10_000 + names.rng.i64(0..9_000),
        ));
    }
    requests.extend([
        loan_approve(&loan),
        loan_disburse(&loan, Some(5_000)),
        // Refused, because the loan is already disbursed.
        loan_disburse(&loan, Some(4_000)),
        loan_delete(&loan),
    ]);
    send(requests)
}

/// A loan is created, deleted, and created again under the same id.
fn deleted(names: &mut Names<'_>) -> Vec<Step> {
    let (client, loan) = (names.client(), names.loan(0));
    let (first, second) = (names.lender(), names.lender());
    let mut requests = vec![
        client_create(&client, &names.lastname(0)),
        loan_create(&loan, &client, first),
        loan_delete(&loan),
        loan_create(&loan, &client, second),
    ];
    if names.rng.bool() {
        requests.push(loan_update(&loan, 60_000));
    }
    requests.push(loan_delete(&loan));
    send(requests)
}

/// Sends operations that Fineract refuses, and their dependents.
fn refused(names: &mut Names<'_>) -> Vec<Step> {
    let (client, loan) = (names.client(), names.loan(0));
    let mut requests = vec![client_create(&client, &names.lastname(0))];
    match names.rng.u8(0..4) {
        // The client does not exist.
        0 => {
            requests = vec![client_create_too_early(&client)];
            requests.push(loan_create(&loan, &client, SINGLE));
        }
        // A second create of the same client fails. That failure has no dependents, so the loan continues.
        1 => {
            requests.push(client_create(&client, &names.lastname(1)));
            requests.push(loan_create(&loan, &client, SINGLE));
        }
        // The loan was submitted before the activation of its client.
        2 => requests.push(loan_create_too_early(&loan, &client)),
        // Two approvals: the second one fails, and the disbursement fails as its dependent.
        _ => {
            requests.push(loan_create(&loan, &client, SINGLE));
            requests.push(loan_approve(&loan));
        }
    }
    requests.push(loan_approve(&loan));
    let mut steps = send(requests);
    if names.rng.bool() {
        // The disbursement does not depend on a failure of which a webhook has told the caller. The gateway records this
        // after the receiver has answered.
        steps.push(Step::AwaitFailureTold);
        steps.push(Step::Pause(Duration::from_millis(500)));
    }
    steps.extend(send([loan_disburse(&loan, None), loan_delete(&loan)]));
    steps
}

/// Sends disbursements that Fineract itself would execute twice. Only the gateway's guard prevents this.
fn paid_twice(names: &mut Names<'_>) -> Vec<Step> {
    let (client, loan) = (names.client(), names.loan(0));
    let amount = names.rng.bool().then_some(70_000);
    send([
        client_create(&client, &names.lastname(0)),
        loan_create(&loan, &client, TRANCHES),
        loan_approve(&loan),
        loan_disburse(&loan, amount),
        loan_disburse(&loan, amount),
        loan_disburse(&loan, Some(1_000)),
    ])
}

/// A loan that is disbursed and repaid in parts.
fn repaid(names: &mut Names<'_>) -> Vec<Step> {
    send(repaid_in_parts(names))
}

/// The requests for a loan that is disbursed and repaid in parts.
pub(super) fn repaid_in_parts(names: &mut Names<'_>) -> Vec<Request> {
    let (client, loan, lender) = (names.client(), names.loan(0), names.lender());
    let mut requests = vec![
        client_create(&client, &names.lastname(0)),
        loan_create(&loan, &client, lender),
        loan_approve(&loan),
        loan_disburse(&loan, None),
    ];
    for _ in 0..3 {
        requests.push(loan_repayment(&loan, names.rng.i64(1_000..20_000)));
    }
    requests
}

/// A loan is approved and its approval undone. It may then be approved and disbursed again, and its disbursement
/// undone.
fn undone(names: &mut Names<'_>) -> Vec<Step> {
    let (client, loan, lender) = (names.client(), names.loan(0), names.lender());
    let mut requests = vec![
        client_create(&client, &names.lastname(0)),
        loan_create(&loan, &client, lender),
        loan_approve(&loan),
        loan_undo_approval(&loan),
    ];
    if names.rng.bool() {
        requests.push(loan_approve(&loan));
        requests.push(loan_disburse(&loan, None));
        requests.push(loan_undo_disbursal(&loan));
    }
    if names.rng.bool() {
        requests.push(loan_disburse(&loan, None));
    }
    send(requests)
}

/// A loan is rejected or withdrawn. The operations after that are refused.
fn turned_away(names: &mut Names<'_>) -> Vec<Step> {
    let (client, loan, lender) = (names.client(), names.loan(0), names.lender());
    let end = if names.rng.bool() {
        loan_reject(&loan)
    } else {
        loan_withdraw(&loan)
    };
    send([
        client_create(&client, &names.lastname(0)),
        loan_create(&loan, &client, lender),
        end,
        loan_approve(&loan),
        loan_disburse(&loan, None),
    ])
}
