//! What is told of clients and loans, each with small variations.

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

/// The lenders whose loans take the same terms.
const LENDERS: [&str; 6] = ["UGRO", "DMI", "ARTHMATE", "VIVRITI", "GB", "IKF"];
/// Names for what a story is about, different in every story of the run.
pub(super) struct Names<'a> {
    pub(super) round: u32,
    pub(super) case: usize,
    pub(super) rng: &'a mut Rng,
}

impl Names<'_> {
    fn id(&self, kind: char, number: usize) -> String {
        format!("r{}-{kind}{}-{number}", self.round, self.case)
    }

    /// A client of the story.
    pub(super) fn client(&self) -> String {
        self.id('c', 0)
    }

    /// A loan of the story.
    pub(super) fn loan(&self, number: usize) -> String {
        self.id('l', number)
    }

    /// A last name that nobody else in the round has.
    pub(super) fn lastname(&self, number: usize) -> String {
        format!("Rao {}", self.id('n', number))
    }

    pub(super) fn lender(&mut self) -> &'static str {
        self.rng.choice(LENDERS).unwrap_or(SINGLE)
    }
}

/// What happens, by the names that it is to happen to.
pub(super) type Scenario = fn(&mut Names<'_>) -> Vec<Step>;

/// How often each plot is told in a round.
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

/// The plot that is told more often where a gateway has an order with a type that a round has few of.
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

/// All of it, one after the other.
pub(super) fn send(requests: impl IntoIterator<Item = Request>) -> Vec<Step> {
    requests.into_iter().map(Step::Send).collect()
}

/// All four steps of a loan at once, and a little more.
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

/// As the document's client does it: each step after the end of the one before.
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
        .flat_map(|step| [step, Step::Ended])
        .collect()
}

/// Everybody wants to change one client, and his loans come in between.
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

/// Everybody wants to change one loan.
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
        // Paid out already: refused.
        loan_disburse(&loan, Some(4_000)),
        loan_delete(&loan),
    ]);
    send(requests)
}

/// Created, deleted, and created again under the same id.
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

/// What Fineract refuses, and what rests on it.
fn refused(names: &mut Names<'_>) -> Vec<Step> {
    let (client, loan) = (names.client(), names.loan(0));
    let mut requests = vec![client_create(&client, &names.lastname(0))];
    match names.rng.u8(0..4) {
        // Nothing of a client that is not there.
        0 => {
            requests = vec![client_create_too_early(&client)];
            requests.push(loan_create(&loan, &client, SINGLE));
        }
        // A second client of the same id; the first one's loan goes on.
        1 => {
            requests.push(client_create(&client, &names.lastname(1)));
            requests.push(loan_create(&loan, &client, SINGLE));
        }
        // A loan older than its client.
        2 => requests.push(loan_create_too_early(&loan, &client)),
        // Approved twice: the second approval fails, and the payment falls with it.
        _ => {
            requests.push(loan_create(&loan, &client, SINGLE));
            requests.push(loan_approve(&loan));
        }
    }
    requests.push(loan_approve(&loan));
    requests.push(loan_disburse(&loan, None));
    requests.push(loan_delete(&loan));
    send(requests)
}

/// What Fineract itself pays twice: only the guard keeps it from that.
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

/// Paid out, and paid back in parts.
fn repaid(names: &mut Names<'_>) -> Vec<Step> {
    send(repaid_in_parts(names))
}

/// A loan that is paid out, and paid back in parts.
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

/// Approved, taken back, approved again; paid out, taken back, paid out again.
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

/// Rejected, or withdrawn; what comes after it is refused.
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
