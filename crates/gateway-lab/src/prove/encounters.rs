//! Stories in which somebody gets in our way: the back office, or Fineract with a late effect.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    actions::Action,
    case::Step,
    requests::{
        Request, SINGLE, TRANCHES, client_create, client_lane, client_update, loan_approve,
        loan_create, loan_delete, loan_disburse, loan_lane, loan_repayment, loan_undo_approval,
        loan_update,
    },
};
use fineract_gateway::domain::OperationType;

/// A story in which somebody gets in our way.
#[derive(Debug)]
pub(super) struct Encounter {
    /// How the table names it.
    pub(super) name: &'static str,
    /// Whether it begins only when what the other stories have sent has come to an end.
    pub(super) comes_last: bool,
    /// For how long it has something held back, from its beginning at most.
    pub(super) holds_back: Duration,
    /// What happens, by the ids of a client and a loan.
    pub(super) scenario: fn(&str, &str) -> Vec<Step>,
}

/// The story in which an operation's deadline passes while Fineract cannot be read about it.
pub(super) const UNREADABLE: &str = "unreadable past a deadline";
/// The story in which a loan's number is given to another, as after a restore.
pub(super) const RENUMBERED: &str = "a number given to another";
/// The stories in which the back office gives a client another external id, and deletes a loan.
pub(super) const RENAMES: &str = "another writer renames";
pub(super) const DELETES: &str = "another writer deletes";
/// The stories in which a command has to be sent again to a Fineract that looks at no key of ours.
pub(super) const KEYS_IGNORED: &str = "keys ignored";
pub(super) const KEYS_RENAMED: &str = "keys under another header";
/// For how long, from when such a command has been done.
const IGNORED: Duration = Duration::from_millis(2_500);
/// For how long it cannot be read.
const HIDDEN: Duration = Duration::from_millis(3_500);
/// So long it takes at most until a command is sent again that was answered with a 500.
const SENT_AGAIN: Duration = Duration::from_secs(1);
/// The deadline, which passes meanwhile.
const DEADLINE: Duration = Duration::from_millis(1_500);

/// So late does Fineract come: after a GET has said "absent", and a second command has been undone.
const LATE: Duration = Duration::from_secs(12);

const fn of_back_office(name: &'static str, scenario: fn(&str, &str) -> Vec<Step>) -> Encounter {
    Encounter {
        name,
        comes_last: false,
        holds_back: Duration::ZERO,
        scenario,
    }
}

const fn late(name: &'static str, scenario: fn(&str, &str) -> Vec<Step>) -> Encounter {
    Encounter {
        // What is held back is the next command of a type, whosever it is.
        comes_last: true,
        holds_back: Duration::from_secs(20),
        ..of_back_office(name, scenario)
    }
}

/// All of them.
pub(super) const ENCOUNTERS: [Encounter; 10] = [
    of_back_office("another writer pays", pays),
    of_back_office(RENAMES, renames),
    of_back_office(DELETES, deletes),
    of_back_office("another writer re-creates", recreates),
    of_back_office(UNREADABLE, hides),
    of_back_office(RENUMBERED, renumbers),
    of_back_office(KEYS_IGNORED, ignores_keys),
    of_back_office(KEYS_RENAMED, renames_keys),
    late("a create late, after our delete", created_late),
    late("an approval late, after our undo", approved_late),
];

/// The back office pays a loan out before we do: Fineract would pay it a second time.
fn pays(client: &str, loan: &str) -> Vec<Step> {
    vec![
        Step::Send(client_create(client, "Rao")),
        Step::Send(loan_create(loan, client, TRANCHES)),
        Step::Send(loan_approve(loan)),
        Step::Ended,
        Step::Other(Action::Pay {
            loan: loan.to_owned(),
        }),
        Step::Send(loan_disburse(loan, Some(60_000))),
        Step::Send(loan_disburse(loan, None)),
    ]
}

/// The back office renames a client after our change of it, and before we know that it was made.
fn renames(client: &str, _: &str) -> Vec<Step> {
    // Under its first name it is found no more, whether or not a checker lets our change pass.
    let unseen = |request| Request {
        value: None,
        ..request
    };
    let create = unseen(client_create(client, "Rao"));
    let change = unseen(client_update(client, "Badgujar"));
    vec![
        Step::Send(create),
        Step::Ended,
        Step::Other(Action::LoseAnswers {
            method: "PUT",
            lane: client_lane(client),
        }),
        Step::Send(change.clone()),
        Step::Other(Action::AwaitEffect {
            operation_type: OperationType::ClientUpdate,
            lane: client_lane(client),
        }),
        Step::Other(Action::Rename {
            client: client.to_owned(),
        }),
        Step::Send(change),
    ]
}

/// The back office deletes a loan after our change of it, and before we know that it was made.
fn deletes(client: &str, loan: &str) -> Vec<Step> {
    vec![
        Step::Send(client_create(client, "Rao")),
        Step::Send(loan_create(loan, client, SINGLE)),
        Step::Ended,
        Step::Other(Action::LoseAnswers {
            method: "PUT",
            lane: loan_lane(loan),
        }),
        Step::Send(loan_update(loan, 70_000)),
        Step::Other(Action::AwaitEffect {
            operation_type: OperationType::LoanUpdate,
            lane: loan_lane(loan),
        }),
        Step::Other(Action::Delete {
            loan: loan.to_owned(),
        }),
        Step::Send(loan_approve(loan)),
        Step::Send(loan_delete(loan)),
    ]
}

/// The back office files a loan again that we deleted, before we know that we did.
fn recreates(client: &str, loan: &str) -> Vec<Step> {
    vec![
        Step::Send(client_create(client, "Rao")),
        Step::Send(loan_create(loan, client, SINGLE)),
        Step::Ended,
        Step::Other(Action::LoseAnswers {
            method: "DELETE",
            lane: loan_lane(loan),
        }),
        Step::Send(loan_delete(loan)),
        Step::Other(Action::AwaitEffect {
            operation_type: OperationType::LoanDelete,
            lane: loan_lane(loan),
        }),
        Step::Other(Action::Recreate {
            loan: loan.to_owned(),
            client: client.to_owned(),
        }),
        Step::Send(loan_approve(loan)),
        Step::Send(loan_disburse(loan, None)),
    ]
}

/// A loan is approved and repaid, which is answered with a 500 each time; the deadline passes, and nobody can
/// read whether it was done.
fn hides(client: &str, loan: &str) -> Vec<Step> {
    let hidden = |operation_type, request: Request| {
        [
            Step::Other(Action::BreakAndHide {
                operation_type,
                loan: loan.to_owned(),
                hides: HIDDEN,
            }),
            Step::Send(request.within(DEADLINE)),
            Step::Pause(HIDDEN + SENT_AGAIN),
        ]
    };
    let mut steps = vec![
        Step::Send(client_create(client, "Rao")),
        Step::Send(loan_create(loan, client, SINGLE)),
        Step::Ended,
    ];
    steps.extend(hidden(OperationType::LoanApprove, loan_approve(loan)));
    steps.extend([Step::Send(loan_disburse(loan, None)), Step::Ended]);
    let repayment = loan_repayment(loan, 7_000);
    steps.extend(hidden(OperationType::LoanRepayment, repayment));
    steps.push(Step::Send(loan_repayment(loan, 3_000)));
    steps
}

/// A payout was lost on its way, and the loan's number is given to another before it is sent again.
fn renumbers(client: &str, loan: &str) -> Vec<Step> {
    vec![
        Step::Send(client_create(client, "Rao")),
        Step::Send(loan_create(loan, client, SINGLE)),
        Step::Send(loan_approve(loan)),
        Step::Ended,
        Step::Other(Action::LoseOnItsWay {
            operation_type: OperationType::LoanDisburse,
            loan: loan.to_owned(),
        }),
        Step::Send(loan_disburse(loan, None)),
        Step::Other(Action::Renumber {
            loan: loan.to_owned(),
        }),
    ]
}

/// Fineract is started anew without a look at keys, and loses the answer to a change.
fn ignores_keys(client: &str, _: &str) -> Vec<Step> {
    without_keys(client, json!({ "ignored": true }))
}

/// The same, where it looks for them under another header.
fn renames_keys(client: &str, _: &str) -> Vec<Step> {
    without_keys(client, json!({ "header": "X-Command-Key" }))
}

fn without_keys(client: &str, keys: Value) -> Vec<Step> {
    vec![
        Step::Send(client_create(client, "Rao")),
        Step::Ended,
        Step::Other(Action::RestartWithKeys(keys)),
        Step::Other(Action::LoseAnswers {
            method: "PUT",
            lane: client_lane(client),
        }),
        Step::Send(client_update(client, "Badgujar")),
        Step::Other(Action::AwaitEffect {
            operation_type: OperationType::ClientUpdate,
            lane: client_lane(client),
        }),
        Step::Pause(IGNORED),
        Step::Other(Action::RestartWithKeys(json!({}))),
        Step::Send(client_update(client, "Rao")),
    ]
}

/// Fineract files our application a second time, when we have deleted what the second command made.
fn created_late(client: &str, loan: &str) -> Vec<Step> {
    vec![
        Step::Send(client_create(client, "Rao")),
        Step::Ended,
        Step::Other(Action::HoldBack {
            operation_type: OperationType::LoanCreate,
            lane: None,
            by: LATE,
        }),
        Step::Send(loan_create(loan, client, SINGLE)),
        Step::Send(loan_delete(loan)),
    ]
}

/// Fineract approves a second time, when we have taken back what the second command did.
fn approved_late(client: &str, loan: &str) -> Vec<Step> {
    vec![
        Step::Send(client_create(client, "Rao")),
        Step::Send(loan_create(loan, client, SINGLE)),
        Step::Ended,
        Step::Other(Action::HoldBack {
            operation_type: OperationType::LoanApprove,
            lane: Some(loan_lane(loan)),
            by: LATE,
        }),
        Step::Send(loan_approve(loan)),
        Step::Send(loan_undo_approval(loan)),
    ]
}
