//! The gateway's Fineract, or tenant, is not the one that the database belongs to. The gateway blocks everything until
//! an operator has confirmed new books.

use fineract_sandbox::Sandbox;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::bed::Bed;
use crate::support::{fixtures, operators::Operator, sandbox::ServedSandbox};

/// A second gateway has the URL of another Fineract. Loan 1 of that Fineract is not loan 1 of the database.
#[sqlx::test]
async fn a_gateway_before_another_fineract_sends_nothing(pool: PgPool) {
    let mut bed = Bed::start(pool).await;
    let right = bed.gateway().await;
    right.file("L-A").await;
    right
        .succeeds("CLIENT_CREATE", fixtures::client("C-2"))
        .await;
    right
        .succeeds("LOAN_APPROVE", fixtures::approve("L-A"))
        .await;
    let id = bed
        .lose_answer(&right, "LOAN_DISBURSE", fixtures::disburse("L-A"))
        .await;
    right.shut_down().await;

    let other = ServedSandbox::start(Sandbox::new()).await;
    bed.system.set("FINERACT_URL", &other.url());
    // This gateway is a process of its own, so no other gateway changes its metrics.
    let wrong = bed.system.process().await;
    bed.until_fineract_is(&wrong, "blocked", &json!("another_fineract"))
        .await;
    bed.go_on().await;
    // The gateway still accepts operations.
    let waiting = wrong.send("CLIENT_CREATE", fixtures::client("C-3")).await;
    let metrics = wrong.get("/metrics").await.text;
    let blocked = r#"gateway_fineract_blocked{reason="another_fineract"} 1"#;
    assert!(metrics.contains(blocked), "{metrics}");

    bed.system.set("FINERACT_URL", &bed.fineract.url());
    let right = bed.gateway().await;
    for id in [&id, &waiting] {
        let end = right.end_of(id).await;
        assert_eq!(end["status"], "success", "{end}");
    }
    assert_eq!(other.get("/clients").await["totalFilteredRecords"], 0);
}

/// Fineract was restored without data, and the LOS continues. An operator confirms the new books, and resolves the
/// operation that had been sent before.
#[sqlx::test]
async fn an_operator_confirms_that_the_books_are_others(pool: PgPool) {
    let bed = Bed::start(pool).await;
    let gateway = bed.gateway().await;
    gateway.file("L-A").await;
    gateway
        .succeeds("CLIENT_CREATE", fixtures::client("C-2"))
        .await;
    gateway
        .succeeds("LOAN_APPROVE", fixtures::approve("L-A"))
        .await;
    let sent = bed
        .lose_answer(&gateway, "LOAN_DISBURSE", fixtures::disburse("L-A"))
        .await;
    bed.restore_to_nothing().await;
    bed.go_on().await;
    bed.until_fineract_is(&gateway, "blocked", &json!("another_fineract"))
        .await;
    let waiting = gateway.send("CLIENT_CREATE", fixtures::client("C-A")).await;

    let operator = Operator::of(gateway.address);
    for (body, status) in [
        (json!({ "epoch": 1 }), 422),
        (json!({ "epoch": 1, "reason": "" }), 422),
        (json!({ "epoch": 2, "reason": "Restored" }), 409),
    ] {
        let answer = operator.post("/books/epochs", &body).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    let restored = json!({ "epoch": 1, "reason": "Restored from the night's backup" });
    let answer = operator.post("/books/epochs", &restored).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["epoch"], 2);
    assert_eq!(operator.post("/books/epochs", &restored).await.status, 409);

    let end = gateway.end_of(&waiting).await;
    assert_eq!(end["status"], "success", "{end}");
    bed.until_fineract_is(&gateway, "open", &Value::Null).await;
    let operation = operator.in_state(&sent, "parked").await;
    assert_eq!(
        operation["reason_code"], "sent_to_other_books",
        "{operation}"
    );

    // The command is never sent again, even if an operator retries the operation.
    bed.file_for_others("L-B").await;
    bed.approve_for_others(1).await;
    let answer = operator.act(&sent, "retry").await;
    assert!(answer.status.is_success(), "{}", answer.text);
    let operation = operator.in_state(&sent, "parked").await;
    assert_eq!(
        operation["reason_code"], "sent_to_other_books",
        "{operation}"
    );
    assert_eq!(bed.fineract.get("/loans/1").await["status"]["id"], 200);
    bed.age().await;
    let end = operator.resolved(&sent, "failed").await;
    assert_eq!(end["state"], "failed", "{end}");
}

/// If only one of several known clients is missing, the gateway does not conclude that Fineract is another one.
#[sqlx::test]
async fn one_of_several_clients_is_no_other_fineract(pool: PgPool) {
    let bed = Bed::start(pool).await;
    let gateway = bed.gateway().await;
    for external_id in ["C-1", "C-2", "C-3"] {
        gateway
            .succeeds("CLIENT_CREATE", fixtures::client(external_id))
            .await;
    }
    let renamed = json!({ "externalId": "C-9" });
    bed.fineract
        .request(reqwest::Method::PUT, "/clients/external-id/C-3", &renamed)
        .await;
    bed.restart().await;
    let id = bed
        .lose_answer(&gateway, "CLIENT_CREATE", fixtures::client("C-4"))
        .await;
    bed.go_on().await;
    let end = gateway.end_of(&id).await;
    assert_eq!(end["status"], "success", "{end}");
    let metrics = gateway.get("/metrics").await.text;
    let alarm = r#"gateway_alarms_total{alarm="client_not_there"}"#;
    assert!(metrics.contains(alarm), "{metrics}");
    bed.until_fineract_is(&gateway, "open", &Value::Null).await;
}

/// An object whose number the gateway knows is missing. The gateway checks the books before it refuses the operation.
#[sqlx::test]
async fn nothing_is_refused_by_other_books(pool: PgPool) {
    let bed = Bed::start(pool).await;
    let gateway = bed.gateway().await;
    gateway.file("L-A").await;
    gateway
        .succeeds("CLIENT_CREATE", fixtures::client("C-2"))
        .await;
    bed.restore_to_nothing().await;
    let id = gateway.send("LOAN_APPROVE", fixtures::approve("L-A")).await;
    bed.until_fineract_is(&gateway, "blocked", &json!("another_fineract"))
        .await;
    let waits = |operation: &Value| operation["state"] == "ready";
    let operation = Operator::of(gateway.address).eventually(&id, waits).await;
    assert_eq!(operation["reason_code"], "another_fineract", "{operation}");
}

/// The back office created the client, so the gateway knows only loans. It detects another Fineract by its loans.
#[sqlx::test]
async fn loans_tell_another_fineract_where_no_client_is_known(pool: PgPool) {
    let bed = Bed::start(pool).await;
    let gateway = bed.gateway().await;
    bed.create_client_for_others("C-1").await;
    for loan_id in ["L-1", "L-2"] {
        gateway
            .succeeds("LOAN_CREATE", fixtures::loan(loan_id, "C-1"))
            .await;
    }
    assert!(gateway.shut_down().await);
    bed.restore_to_nothing().await;
    let gateway = bed.gateway().await;
    bed.until_fineract_is(&gateway, "blocked", &json!("another_fineract"))
        .await;
}
