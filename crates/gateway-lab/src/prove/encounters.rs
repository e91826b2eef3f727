//! Encounters: scenarios in which the back office makes a change, or Fineract has a late effect, while operations on
//! the same client or loan run.

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

/// A scenario with interference from outside the gateway.
#[derive(Debug)]
pub(super) struct Encounter {
    /// The name in the final table, which is also the name for `--card`.
    pub(super) name: &'static str,
    /// Whether the encounter begins only after the operations of all other cases have ended or are parked.
    pub(super) comes_last: bool,
    /// The longest delay of an effect in this encounter, counted from the beginning of the encounter.
    pub(super) longest_delay: Duration,
    /// The steps of the encounter. The parameters are the external ids of a client and a loan.
    pub(super) scenario: fn(&str, &str) -> Vec<Step>,
}

/// The encounter in which the `expires_at` of an operation passes while Fineract cannot be read.
pub(super) const UNREADABLE: &str = "unreadable past a deadline";
/// The encounter in which Fineract gives a loan's number to another loan, as after a restore.
pub(super) const RENUMBERED: &str = "a number given to another";
/// The encounter in which the back office changes a client's external id.
pub(super) const RENAMES: &str = "another writer renames";
/// The encounter in which the back office deletes a loan.
pub(super) const DELETES: &str = "another writer deletes";
/// The encounter in which the gateway must send a command again, but Fineract ignores idempotency keys.
pub(super) const KEYS_IGNORED: &str = "keys ignored";
/// The encounter in which the gateway must send a command again, but Fineract reads idempotency keys from another
/// header.
pub(super) const KEYS_RENAMED: &str = "keys under another header";
/// How long Fineract still ignores keys after the update has taken effect.
const IGNORED: Duration = Duration::from_millis(2_500);
/// How long the loan cannot be read in the encounter [`UNREADABLE`].
const HIDDEN: Duration = Duration::from_millis(3_500);
/// The longest time until the gateway sends a command again after an answer with 500.
const SENT_AGAIN: Duration = Duration::from_secs(1);
/// The time from acceptance to `expires_at` in [`UNREADABLE`]. `expires_at` passes while the loan cannot be read.
const DEADLINE: Duration = Duration::from_millis(1_500);

/// The delay of a late effect. Before the late effect occurs, the gateway has read that there is no effect yet, has
/// sent a second command, and has undone the effect of the second command.
const LATE: Duration = Duration::from_secs(12);

const fn of_back_office(name: &'static str, scenario: fn(&str, &str) -> Vec<Step>) -> Encounter {
    Encounter {
        name,
        comes_last: false,
        longest_delay: Duration::ZERO,
        scenario,
    }
}

const fn late(name: &'static str, scenario: fn(&str, &str) -> Vec<Step>) -> Encounter {
    Encounter {
        // The delay applies to the next command of a type. So no other case may send such a command at that time.
        comes_last: true,
        longest_delay: Duration::from_secs(20),
        ..of_back_office(name, scenario)
    }
}

/// Every encounter.
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

/// The back office disburses a loan before the gateway does. Fineract itself would pay a second time.
fn pays(client: &str, loan: &str) -> Vec<Step> {
    vec![
        Step::Send(client_create(client, "Rao")),
        Step::Send(loan_create(loan, client, TRANCHES)),
        Step::Send(loan_approve(loan)),
        Step::AwaitEnds,
        Step::Act(Action::Pay {
            loan: loan.to_owned(),
        }),
        Step::Send(loan_disburse(loan, Some(60_000))),
        Step::Send(loan_disburse(loan, None)),
    ]
}

/// The gateway has sent an update of a client, but does not know the result of the update yet. Then the back office
/// changes the external id of the client.
fn renames(client: &str, _: &str) -> Vec<Step> {
    // The client is no longer found under its first external id. So the judge cannot compare the last name.
    let unseen = |request| Request {
        value: None,
        ..request
    };
    let create = unseen(client_create(client, "Rao"));
    let change = unseen(client_update(client, "Badgujar"));
    vec![
        Step::Send(create),
        Step::AwaitEnds,
        Step::Act(Action::LoseAnswers {
            method: "PUT",
            lane: client_lane(client),
        }),
        Step::Send(change.clone()),
        Step::Act(Action::AwaitEffect {
            operation_type: OperationType::ClientUpdate,
            lane: client_lane(client),
        }),
        Step::Act(Action::Rename {
            client: client.to_owned(),
        }),
        Step::Send(change),
    ]
}

/// The gateway has sent an update of a loan, but does not know the result of the update yet. Then the back office
/// deletes the loan.
fn deletes(client: &str, loan: &str) -> Vec<Step> {
    vec![
        Step::Send(client_create(client, "Rao")),
        Step::Send(loan_create(loan, client, SINGLE)),
        Step::AwaitEnds,
        Step::Act(Action::LoseAnswers {
            method: "PUT",
            lane: loan_lane(loan),
        }),
        Step::Send(loan_update(loan, 70_000)),
        Step::Act(Action::AwaitEffect {
            operation_type: OperationType::LoanUpdate,
            lane: loan_lane(loan),
        }),
        Step::Act(Action::Delete {
            loan: loan.to_owned(),
        }),
        Step::Send(loan_approve(loan)),
        Step::Send(loan_delete(loan)),
    ]
}

/// The gateway deletes a loan. Before the gateway knows the result of its delete, the back office creates the loan
/// again.
fn recreates(client: &str, loan: &str) -> Vec<Step> {
    vec![
        Step::Send(client_create(client, "Rao")),
        Step::Send(loan_create(loan, client, SINGLE)),
        Step::AwaitEnds,
        Step::Act(Action::LoseAnswers {
            method: "DELETE",
            lane: loan_lane(loan),
        }),
        Step::Send(loan_delete(loan)),
        Step::Act(Action::AwaitEffect {
            operation_type: OperationType::LoanDelete,
            lane: loan_lane(loan),
        }),
        Step::Act(Action::Recreate {
            loan: loan.to_owned(),
            client: client.to_owned(),
        }),
        Step::Send(loan_approve(loan)),
        Step::Send(loan_disburse(loan, None)),
    ]
}

/// An approval and a repayment take effect, but Fineract answers them with a 500. Then `expires_at` passes while the
/// gateway cannot read whether they have had an effect.
fn hides(client: &str, loan: &str) -> Vec<Step> {
    let hidden = |operation_type, request: Request| {
        [
            Step::Act(Action::BreakAndHide {
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
        Step::AwaitEnds,
    ];
    steps.extend(hidden(OperationType::LoanApprove, loan_approve(loan)));
    steps.extend([Step::Send(loan_disburse(loan, None)), Step::AwaitEnds]);
    let repayment = loan_repayment(loan, 7_000);
    steps.extend(hidden(OperationType::LoanRepayment, repayment));
    steps.push(Step::Send(loan_repayment(loan, 3_000)));
    steps
}

/// A disbursement is lost on its way to Fineract. Before the gateway sends the disbursement again, the loan's number is
/// given to another loan.
fn renumbers(client: &str, loan: &str) -> Vec<Step> {
    vec![
        Step::Send(client_create(client, "Rao")),
        Step::Send(loan_create(loan, client, SINGLE)),
        Step::Send(loan_approve(loan)),
        Step::AwaitEnds,
        Step::Act(Action::LoseOnItsWay {
            operation_type: OperationType::LoanDisburse,
            loan: loan.to_owned(),
        }),
        Step::Send(loan_disburse(loan, None)),
        Step::Act(Action::Renumber {
            loan: loan.to_owned(),
        }),
    ]
}

/// Fineract is restarted and ignores idempotency keys. Then the answer to an update is lost.
fn ignores_keys(client: &str, _: &str) -> Vec<Step> {
    without_keys(client, json!({ "ignored": true }))
}

/// As [`ignores_keys`], but Fineract reads idempotency keys from another header.
fn renames_keys(client: &str, _: &str) -> Vec<Step> {
    without_keys(client, json!({ "header": "X-Command-Key" }))
}

fn without_keys(client: &str, keys: Value) -> Vec<Step> {
    vec![
        Step::Send(client_create(client, "Rao")),
        Step::AwaitEnds,
        Step::Act(Action::RestartWithKeys(keys)),
        Step::Act(Action::LoseAnswers {
            method: "PUT",
            lane: client_lane(client),
        }),
        Step::Send(client_update(client, "Badgujar")),
        Step::Act(Action::AwaitEffect {
            operation_type: OperationType::ClientUpdate,
            lane: client_lane(client),
        }),
        Step::Pause(IGNORED),
        Step::Act(Action::RestartWithKeys(json!({}))),
        Step::Send(client_update(client, "Rao")),
    ]
}

/// A create is sent twice, and Fineract executes the first command late: after the gateway has deleted the loan that
/// the second command created.
fn created_late(client: &str, loan: &str) -> Vec<Step> {
    vec![
        Step::Send(client_create(client, "Rao")),
        Step::AwaitEnds,
        Step::Act(Action::HoldBack {
            operation_type: OperationType::LoanCreate,
            lane: None,
            by: LATE,
        }),
        Step::Send(loan_create(loan, client, SINGLE)),
        Step::Send(loan_delete(loan)),
    ]
}

/// An approval is sent twice, and Fineract executes the first command late: after the gateway has undone the effect of
/// the second command.
fn approved_late(client: &str, loan: &str) -> Vec<Step> {
    vec![
        Step::Send(client_create(client, "Rao")),
        Step::Send(loan_create(loan, client, SINGLE)),
        Step::AwaitEnds,
        Step::Act(Action::HoldBack {
            operation_type: OperationType::LoanApprove,
            lane: Some(loan_lane(loan)),
            by: LATE,
        }),
        Step::Send(loan_approve(loan)),
        Step::Send(loan_undo_approval(loan)),
    ]
}
