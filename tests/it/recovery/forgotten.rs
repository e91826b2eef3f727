//! A restored database has forgotten what was done after its backup. No operation may end because of that.

use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Database, effects, lift, restored, start};
use crate::support::{
    fixtures::{approve, client, disburse, loan, repayment},
    operators::{Operator, begin_epoch},
    system::System,
};

/// Accepts these operations, makes the backup before any of them is sent, and then runs them. Returns how they ended.
async fn run_after_backup(
    system: &mut System,
    database: &Database<'_>,
    operations: Vec<(&str, Value)>,
) -> Vec<(String, Value)> {
    system.set("ROLE", "api");
    let door = system.gateway().await;
    let mut ids = Vec::new();
    for (operation_type, data) in operations {
        ids.push(door.send(operation_type, data).await);
    }
    database.back_up().await;
    assert!(door.shut_down().await);
    system.set("ROLE", "all");
    let gateway = system.gateway().await;
    let mut told = Vec::new();
    for id in ids {
        let status = gateway.end_of(&id).await["status"].clone();
        told.push((id, status));
    }
    assert!(gateway.shut_down().await);
    told
}

/// A create that was refused is cancelled, as `docs/RECOVERY.md` says. The operations behind it took effect, so they
/// must not end because of the cancel.
#[sqlx::test]
async fn a_cancel_ends_nothing_that_was_done_behind_it(pool: PgPool) {
    let database = Database::new(&pool);
    let mut system = start(&pool).await;
    let gateway = system.gateway().await;
    gateway.succeeds("CLIENT_CREATE", client("C-1")).await;
    assert!(gateway.shut_down().await);
    let told = run_after_backup(
        &mut system,
        &database,
        vec![
            ("CLIENT_CREATE", client("C-1")),
            ("LOAN_CREATE", loan("L-1", "C-1")),
            ("LOAN_APPROVE", approve("L-1")),
            ("LOAN_DISBURSE", disburse("L-1")),
        ],
    )
    .await;
    let words: Vec<&str> = told.iter().filter_map(|(_, word)| word.as_str()).collect();
    assert_eq!(words, ["failed", "success", "success", "success"]);

    let gateway = restored(&mut system, &database).await;
    let operator = Operator::of(gateway.address);
    let answer = operator.act(&told[0].0, "cancel").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    lift(&operator, json!({ "all": true }), 3).await;
    for (id, word) in &told {
        assert_eq!(gateway.end_of(id).await["status"], *word, "{id}");
    }
    assert_eq!(effects(&system, "DISBURSE").await, 1);
    assert!(gateway.shut_down().await);
    database.drop().await;
}

/// Later operations have overwritten an update. So the state of the loan does not show whether the update took effect.
#[sqlx::test]
async fn what_others_have_overwritten_is_left_to_a_person(pool: PgPool) {
    let database = Database::new(&pool);
    let mut system = start(&pool).await;
    let gateway = system.gateway().await;
    gateway.file("L-1").await;
    assert!(gateway.shut_down().await);
    let term = |term: i32, repayments: i32| json!({ "externalId": "L-1", "loanTermFrequency": term, "numberOfRepayments": repayments });
    let told = run_after_backup(
        &mut system,
        &database,
        vec![
            (
                "LOAN_UPDATE",
                json!({ "externalId": "L-1", "numberOfRepayments": 6 }),
            ),
            ("LOAN_UPDATE", term(9, 9)),
            ("LOAN_APPROVE", approve("L-1")),
            ("LOAN_DISBURSE", disburse("L-1")),
            ("LOAN_REPAYMENT", repayment("L-1", 10.0)),
        ],
    )
    .await;
    assert!(told.iter().all(|(_, word)| word == "success"), "{told:?}");

    let gateway = restored(&mut system, &database).await;
    let operator = Operator::of(gateway.address);
    lift(&operator, json!({ "all": true }), 5).await;
    let parked = operator.in_state(&told[0].0, "parked").await;
    assert_eq!(parked["reason_code"], "may_have_been_done", "{parked}");
    for (id, _) in &told[1..] {
        assert_eq!(operator.inspect(id).await["state"], "waiting", "{id}");
    }
    let end = operator.resolved(&told[0].0, "succeeded").await;
    assert_eq!(end["state"], "succeeded", "{end}");
    for (id, word) in &told[1..] {
        assert_eq!(gateway.end_of(id).await["status"], *word, "{id}");
    }
    assert_eq!(effects(&system, "REPAYMENT").await, 1);
    assert!(gateway.shut_down().await);
    database.drop().await;
}

/// If commands may wait for a checker, a command that the restored database has forgotten may also wait for one.
#[sqlx::test]
async fn what_may_wait_for_a_checker_is_not_resolved_as_failed(pool: PgPool) {
    for (makes_checkers, reason_code) in [
        ("true", "may_await_checker"),
        ("false", "an_attempt_may_still_run"),
    ] {
        let database = Database::new(&pool);
        let mut system = start(&pool).await;
        begin_epoch(&pool).await;
        system.set("FINERACT_MAKER_CHECKER", makes_checkers);
        let gateway = system.gateway().await;
        let loan_id = format!("L-{makes_checkers}");
        gateway.file(&loan_id).await;
        assert!(gateway.shut_down().await);
        system.set("ROLE", "api");
        let door = system.gateway().await;
        let id = door.send("LOAN_APPROVE", approve(&loan_id)).await;
        database.back_up().await;
        assert!(door.shut_down().await);

        let gateway = restored(&mut system, &database).await;
        let operator = Operator::of(gateway.address);
        let answer = operator.resolve(&id, "failed").await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        operator
            .eventually(&id, |operation| operation["reason_code"] == reason_code)
            .await;
        assert!(gateway.shut_down().await);
        database.drop().await;
    }
}
