//! The gateway does not rely on an earlier observation that may no longer be true.

use serde_json::json;
use sqlx::PgPool;

use super::Bench;
use crate::support::{
    OPS_TOKEN,
    fixtures::{CLIENT_DONE, LOAN_DONE, client, disburse, show_loan, shown_approved, shown_loan},
    operators::Operator,
};

/// Loan 9 after another writer has disbursed it.
fn paid() -> String {
    let paid = r#""transactions":[{"id":5,"type":{"id":1},"amount":100000.000000,"externalId":"X",
            "manuallyReversed":false}]"#;
    shown_loan(&[
        (r#""status":{"id":100}"#, r#""status":{"id":300}"#),
        (r#""transactions":[]"#, paid),
    ])
}

/// Fineract had recorded the key. After the failure it may have lost the key, as in a restore. So the gateway does not
/// send the key again without its guard.
async fn is_not_asked_after(pool: PgPool, failure: &str) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_approved("gateway"));
    bench
        .fake
        .answers("disburse", &["hang", "425c {}", failure, LOAN_DONE]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_DISBURSE", disburse("L-1")).await;
    bench.until_commands(3).await;
    // Fineract showed that it had the key immediately before the failure. The time between the two is shorter than a
    // slow claim.
    sqlx::query!(
        "UPDATE attempt SET sent_at = (SELECT sent_at FROM attempt WHERE number = 3) WHERE number = 2"
    )
    .execute(&bench.pool)
    .await
    .unwrap();
    show_loan(&bench.fake, &paid());
    bench
        .eventually(&id, "ready", "an_attempt_may_still_run")
        .await;
    assert_eq!(bench.fake.commands().len(), 3);
    assert!(gateway.shut_down().await);
}

#[sqlx::test]
async fn a_key_that_was_seen_before_a_failure_is_not_asked_where_others_have_paid(pool: PgPool) {
    is_not_asked_after(pool, "close").await;
}

/// A 503 without Fineract's own text comes from a proxy whose Fineract is not available.
#[sqlx::test]
async fn a_proxys_503_is_such_a_failure(pool: PgPool) {
    is_not_asked_after(pool, "503 upstream connect error").await;
}

/// A checker may have deleted the command. With its key, the command would wait for a checker again, or be executed.
#[sqlx::test]
async fn the_key_of_a_command_that_a_checker_may_have_deleted_is_not_asked_where_others_have_paid(
    pool: PgPool,
) {
    let mut bench = Bench::start(pool).await;
    bench
        .system
        .set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    bench.system.set("FINERACT_MAKER_CHECKER", "true");
    show_loan(&bench.fake, &shown_approved("gateway"));
    let pending = r#"200 {"commandId":77,"resourceId":9,"rollbackTransaction":true}"#;
    let unchecked = r#"200 {"id":77,"actionName":"DISBURSE","entityName":"LOAN","resourceId":9,
        "maker":"gateway","madeOnDate":1795841559421,"loanId":9,"url":"/loans/9"}"#;
    bench
        .fake
        .answers("disburse", &[pending, "425c {}", LOAN_DONE]);
    bench.fake.reads("/audits/77", unchecked);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_DISBURSE", disburse("L-1")).await;
    bench.eventually(&id, "ready", "awaiting_checker").await;
    bench.age(40_000.0).await;
    bench.until_commands(2).await;
    bench.fake.reads("/audits/77", "500 {}");
    bench
        .eventually(&id, "ready", "awaiting_checker_unseen")
        .await;
    bench.age_troubles().await;
    bench
        .eventually(&id, "parked", "awaiting_checker_unseen")
        .await;
    show_loan(&bench.fake, &paid());
    let operator = Operator::of(gateway.address);
    assert!(operator.act(&id, "retry").await.status.is_success());
    bench
        .eventually(&id, "ready", "an_attempt_may_still_run")
        .await;
    assert_eq!(bench.fake.commands().len(), 2);
    assert!(gateway.shut_down().await);
}

/// Fineract's books changed while the command was on its way.
#[sqlx::test]
async fn a_success_of_a_loan_of_another_name_is_none_of_ours(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_approved("gateway"));
    let other = LOAN_DONE.replace('}', r#","resourceExternalId":"L-2"}"#);
    bench.fake.answers("disburse", &[&other]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_DISBURSE", disburse("L-1")).await;
    bench
        .eventually(&id, "parked", "answer_about_another")
        .await;
    let metrics = gateway.get("/metrics").await.text;
    let alarm = r#"gateway_alarms_total{alarm="answer_about_another"}"#;
    assert!(metrics.contains(alarm), "{metrics}");
}

/// The gateway created the client, and somebody has changed it since. An operator who has checked this may resolve the
/// operation as succeeded.
#[sqlx::test]
async fn what_was_made_and_changed_since_can_be_resolved_as_succeeded(pool: PgPool) {
    let mut bench = Bench::start(pool).await;
    bench
        .system
        .set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    bench.fake.answers("/clients", &["close", CLIENT_DONE]);
    let gateway = bench.gateway().await;
    let id = gateway.send("CLIENT_CREATE", client("C-1")).await;
    bench.eventually(&id, "ready", "connection_closed").await;
    let changed = r#"200 {"id":7,"externalId":"C-1","firstname":"Another","lastname":"Name","active":true,"officeId":1,
        "timeline":{"activatedByUsername":"gateway"}}"#;
    bench.fake.reads("/clients/external-id/C-1", changed);
    let operator = Operator::of(gateway.address);
    let restored = json!({ "epoch": 1, "reason": "Restored" });
    let answer = operator.post("/books/epochs", &restored).await;
    assert_eq!(answer.json()["parked"], 1, "{}", answer.text);
    let end = operator.resolved(&id, "succeeded").await;
    assert_eq!(end["state"], "succeeded", "{end}");
    assert_eq!(bench.fake.commands().len(), 1);
}
