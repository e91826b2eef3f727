//! Commands that waited for a checker when Fineract was restored.

use sqlx::PgPool;

use super::{
    Bench,
    checker::{AUDIT, UNCHECKED, checked, waiting},
};
use crate::support::{OPS_TOKEN, operators::Operator};

/// In a restored Fineract, the command may wait for a checker again. So an operator cannot resolve it as failed.
#[sqlx::test]
async fn what_waits_again_in_restored_books_is_not_resolved_as_failed(pool: PgPool) {
    let mut bench = Bench::start(pool).await;
    bench
        .system
        .set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    let (gateway, id) = waiting(&bench, UNCHECKED, "awaiting_checker").await;
    let operator = Operator::of(gateway.address);
    let restored = serde_json::json!({ "epoch": 1, "reason": "Restored" });
    let answer = operator.post("/books/epochs", &restored).await;
    assert_eq!(answer.json()["parked"], 1);
    for (audit, reason_code) in [
        (UNCHECKED, "awaiting_checker"),
        ("500 {}", "awaiting_checker_unseen"),
    ] {
        bench.fake.reads(AUDIT, audit);
        let parked = operator.resolved(&id, "failed").await;
        assert_eq!(
            (&parked["state"], &parked["reason_code"]),
            (&"parked".into(), &reason_code.into())
        );
    }
    bench.fake.reads(AUDIT, &checked());
    let end = operator.resolved(&id, "failed").await;
    assert_eq!(end["state"], "failed", "{end}");
}

/// The restored Fineract never had the command, and cannot show this. The operator has checked the list for checkers.
#[sqlx::test]
async fn an_operator_says_that_nothing_waits_in_restored_books(pool: PgPool) {
    let mut bench = Bench::start(pool).await;
    bench
        .system
        .set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    let (gateway, id) = waiting(&bench, "500 {}", "awaiting_checker_unseen").await;
    let operator = Operator::of(gateway.address);
    let nothing =
        serde_json::json!({ "outcome": "failed", "nothing_waits": true, "reason": "looked" });
    let path = format!(
        "/operations/{}/resolve",
        crate::support::operators::uuid(&id)
    );
    bench.age_troubles().await;
    bench
        .eventually(&id, "parked", "awaiting_checker_unseen")
        .await;
    // In the same books, the operator's confirmation is not enough: Fineract itself must show it.
    let answer = operator.post(&path, &nothing).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    bench
        .eventually(&id, "parked", "awaiting_checker_unseen")
        .await;
    let restored = serde_json::json!({ "epoch": 1, "reason": "Restored" });
    assert_eq!(operator.post("/books/epochs", &restored).await.status, 200);
    bench.age(400.0).await;
    let answer = operator.post(&path, &nothing).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let end = operator.in_state(&id, "failed").await;
    assert_eq!(end["state"], "failed", "{end}");
    assert_eq!(bench.fake.commands().len(), 1);
}
