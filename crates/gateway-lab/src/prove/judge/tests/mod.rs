//! Tests of the judge. Each test changes correct records, and expects the judge to report the violated rule.

mod lanes;
mod transactions;

use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::prove::requests::Request;
use fineract_gateway::domain::{Amount, OperationId, OperationType as Type, TrackingId};

/// The n-th accepted operation. It writes this lane.
fn accepted(n: u32, operation_type: Type, lane: &str) -> Accepted {
    let tracking_id = TrackingId {
        operation_type,
        id: OperationId(uuid::Uuid::from_u128(u128::from(n))),
    };
    let request = Request {
        operation_type,
        data: Value::Null,
        lane: lane.to_owned(),
        reads: (operation_type == Type::LoanCreate).then(|| CLIENT.to_owned()),
        value: None,
        amount: None,
        expires_in: None,
    };
    Accepted {
        status: Status::Succeeded,
        readings: vec!["end".to_owned(), "end".to_owned()],
        ..Accepted::new(
            format!("key-{n}"),
            &request,
            Duration::from_secs(u64::from(2 * n)),
            Duration::from_secs(u64::from(2 * n + 1)),
            vec![tracking_id],
        )
    }
}

const CLIENT: &str = "client:c";
const LOAN: &str = "loan:l";

fn rupees(amount: i64) -> Amount {
    Amount(amount.into())
}

/// The effect of an operation, under its first idempotency key.
fn effect(seq: i64, of: &Accepted) -> Effect {
    let id = of.id().unwrap().to_string();
    Effect {
        seq,
        operation_type: Some(of.operation_type),
        lane: of.lane.clone(),
        transaction: (of.operation_type == Type::LoanDisburse).then(|| id.clone()),
        amount: of.amount,
        key: format!("{id}-1"),
    }
}

/// Correct records: a client with a changed name, and a loan that is created, approved and disbursed.
fn books() -> Books {
    let mut operations = vec![
        accepted(1, Type::ClientCreate, CLIENT),
        accepted(2, Type::LoanCreate, LOAN),
        accepted(3, Type::LoanApprove, LOAN),
        accepted(4, Type::LoanDisburse, LOAN),
        accepted(5, Type::ClientUpdate, CLIENT),
    ];
    operations[0].value = Some("Rao".to_owned());
    operations[1].value = Some("100".to_owned());
    operations[3].amount = Some(rupees(100));
    operations[4].value = Some("Das".to_owned());
    let resource = |value: &str, approved| Resource {
        value: value.to_owned(),
        approved,
    };
    Books {
        ledger: (1..)
            .zip(&operations)
            .map(|(seq, of)| effect(seq, of))
            .collect(),
        operations,
        resources: [
            (CLIENT.to_owned(), resource("Das", None)),
            (LOAN.to_owned(), resource("100", Some(rupees(100)))),
        ]
        .into(),
        unanswered: Vec::new(),
        sent_on_hold: Vec::new(),
        wrong_events: Vec::new(),
        wrongly_told: Vec::new(),
    }
}

fn failed(code: &str) -> Status {
    Status::Failed {
        codes: vec![code.to_owned()],
    }
}

fn parked() -> Status {
    Status::Parked {
        reason_code: "still_running".to_owned(),
    }
}

/// The rules that the judge reports as violated after `doctor` has changed the correct records.
fn found(doctor: impl FnOnce(&mut Books)) -> Vec<Rule> {
    let mut books = books();
    doctor(&mut books);
    let mut rules: Vec<Rule> = judge(&books)
        .iter()
        .map(|violation| violation.rule)
        .collect();
    rules.dedup();
    rules
}

#[test]
fn correct_records_have_no_violation() {
    assert_eq!(judge(&books()), []);
}

#[test]
fn a_second_effect_is_found() {
    assert_eq!(
        found(|books| {
            let mut second = books.ledger[4].clone();
            (second.seq, second.key) = (6, second.key.replace("-1", "-2"));
            books.ledger.push(second);
        }),
        [Rule::OneEffect]
    );
}

#[test]
fn an_effect_without_an_operation_is_found() {
    let stray = |key: &str| {
        found(|books| {
            let mut stray = books.ledger[4].clone();
            (stray.seq, stray.key, stray.lane) = (6, key.to_owned(), "client:x".to_owned());
            books.ledger.push(stray);
        })
    };
    let unknown = format!("{}-1", uuid::Uuid::from_u128(77));
    assert_eq!(stray(&unknown), [Rule::EffectsAreAccepted]);
    assert_eq!(stray("no key of ours"), [Rule::EffectsAreAccepted]);
    assert_eq!(stray("other-3"), []);
}

#[test]
fn a_success_without_an_effect_is_found() {
    assert_eq!(
        found(|books| {
            books.ledger.remove(3);
        }),
        [Rule::SuccessHasEffect]
    );
}

#[test]
fn a_delete_succeeds_if_another_writer_deleted() {
    let deleted_by = |key: &str| {
        found(|books| {
            let delete = accepted(6, Type::LoanDelete, LOAN);
            let key = key.to_owned();
            books.ledger.push(Effect {
                key,
                ..effect(6, &delete)
            });
            books.operations.push(delete);
            books.resources.remove(LOAN);
        })
    };
    assert_eq!(deleted_by("other-1"), []);
    let ours = format!("{}-1", uuid::Uuid::from_u128(6));
    assert_eq!(deleted_by(&ours), []);
    let unknown = format!("{}-1", uuid::Uuid::from_u128(77));
    assert_eq!(
        deleted_by(&unknown),
        [Rule::SuccessHasEffect, Rule::EffectsAreAccepted]
    );
}

#[test]
fn a_failure_with_an_effect_is_found() {
    assert_eq!(
        found(|books| books.operations[3].status = failed("error.msg.some")),
        [Rule::FailureHasNoEffect]
    );
}

#[test]
fn an_effect_with_other_values_is_found() {
    type Doctor = fn(&mut Books);
    let doctors: [Doctor; 5] = [
        |books| books.ledger[3].amount = Some(rupees(99)),
        |books| books.ledger[3].transaction = None,
        |books| books.ledger[2].lane = "loan:other".to_owned(),
        |books| books.ledger[4].operation_type = Some(Type::ClientCreate),
        |books| books.resources.get_mut(CLIENT).unwrap().value = "Rao".to_owned(),
    ];
    for (number, doctor) in doctors.into_iter().enumerate() {
        assert_eq!(found(doctor), [Rule::EffectAsRequested], "{number}");
    }
}

#[test]
fn an_overpaid_loan_is_found() {
    let paid_again = |key: Option<&str>| {
        found(|books| {
            let mut again = accepted(6, Type::LoanDisburse, LOAN);
            again.amount = Some(rupees(1));
            let mut paid = effect(6, &again);
            if let Some(key) = key {
                paid.key = key.to_owned();
            } else {
                books.operations.push(again);
            }
            books.ledger.push(paid);
        })
    };
    assert_eq!(paid_again(None), [Rule::NotOverpaid]);
    // A disbursement by the back office is no violation.
    assert_eq!(paid_again(Some("other-1")), []);
}

#[test]
fn a_changed_end_is_found() {
    assert_eq!(
        found(|books| books.operations[0].readings.push("another end".to_owned())),
        [Rule::EndsAreFinal]
    );
}

#[test]
fn two_operations_of_one_key_are_found() {
    assert_eq!(
        found(|books| {
            let second = accepted(9, Type::ClientCreate, CLIENT).tracking_ids[0];
            books.operations[0].tracking_ids.push(second);
        }),
        [Rule::OneOperationPerKey]
    );
}
