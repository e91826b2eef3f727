//! `POST /fineract/operations/{id}/resolve`: the gateway accepts an operator's statement only if Fineract agrees.
#![expect(clippy::indexing_slicing, reason = "a missing key fails the test")]

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    Answer, OPS_TOKEN, TestGateway,
    caller::Caller,
    fixtures::{client_create, rename},
    operators::{Operator, audit, park},
    system::System,
};

/// A gateway and an operator. The gateway parks an operation that was stuck for a second, before it reads Fineract
/// itself.
async fn start(pool: &PgPool, stuck_after: &str) -> (System, Caller, Operator) {
    let mut system = System::start(pool).await;
    system.set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    system.set("FINERACT_STUCK_AFTER_SECONDS", stuck_after);
    system.set("RETRY_PARK_AFTER_SECONDS", "1");
    let gateway = system.gateway().await;
    let operator = Operator::of(gateway.address);
    (system, gateway, operator)
}

fn client() -> Value {
    client_create("C")["data"].clone()
}

/// Sends an update that gets stuck in Fineract, with its effect or without. Returns its id when it is parked.
async fn stuck_update(
    (system, gateway, operator): &(System, Caller, Operator),
    has_effect: bool,
) -> String {
    assert_eq!(
        gateway.run("CLIENT_CREATE", client()).await["status"],
        "success"
    );
    system
        .fault(
            json!({ "match": { "method": "PUT", "path": "/clients/" }, "fault": "stuck",
                       "effect": has_effect }),
        )
        .await;
    let update = rename("C");
    let id = gateway.send("CLIENT_UPDATE", update).await;
    operator.in_state(&id, "parked").await;
    id
}

#[sqlx::test]
async fn what_fineract_agrees_with_ends_as_the_operator_says(pool: PgPool) {
    let parts = start(&pool, "3").await;
    let (system, gateway, operator) = &parts;
    let id = stuck_update(&parts, false).await;
    let behind = gateway
        .send(
            "CLIENT_UPDATE",
            json!({ "externalId": "C", "firstname": "Uma" }),
        )
        .await;
    let effects = system.ledger().await.len();

    let denied = operator.resolved(&id, "succeeded").await;
    assert_eq!(
        (&denied["state"], &denied["reason_code"]),
        (&"parked".into(), &"resolution_disagrees".into())
    );
    assert_eq!(denied["resolution"], Value::Null);
    assert_eq!(
        operator.inspect(&behind).await["state"],
        "waiting",
        "the lane still waits"
    );

    let ended = operator.resolved(&id, "failed").await;
    assert_eq!(ended["state"], "failed");
    assert_eq!(ended["result"]["code"], "resolved_as_failed");
    let end = gateway.end_of(&id).await;
    assert_eq!(end["failure_response"], Value::Null);
    assert_eq!(
        end["error_message"],
        "The operation had no effect in Fineract; an operator has verified this"
    );
    assert_eq!(
        gateway.end_of(&behind).await["status"],
        "success",
        "no operation depends on a CLIENT_UPDATE"
    );
    assert_eq!(system.ledger().await.len(), effects + 1);
    let rows = audit(&pool, &id).await;
    let row = |outcome: &str, reason_code: &Value| json!(["admin", "resolve", "request-1", { "outcome": outcome, "note": null, "reason_code": reason_code }]);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1], row("failed", &"resolution_disagrees".into()));
}

#[sqlx::test]
async fn an_effect_that_is_there_is_a_success_whatever_the_operator_says(pool: PgPool) {
    let parts = start(&pool, "3").await;
    let (system, gateway, operator) = &parts;
    let id = stuck_update(&parts, true).await;
    let effects = system.ledger().await.len();

    let denied = operator.resolved(&id, "failed").await;
    assert_eq!(
        (&denied["state"], &denied["reason_code"]),
        (&"parked".into(), &"resolution_disagrees".into())
    );

    let ended = operator.resolved(&id, "succeeded").await;
    assert_eq!(ended["state"], "succeeded");
    assert_eq!(ended["resolution"], "succeeded");
    let end = gateway.end_of(&id).await;
    assert_eq!(
        end["success_response"],
        json!({ "officeId": 1, "clientId": 1, "resourceId": 1, "resourceExternalId": "C" })
    );
    assert_eq!(system.ledger().await.len(), effects);
    assert_eq!(
        operator.resolve(&id, "succeeded").await.problem().1,
        "operation_not_parked"
    );
}

#[sqlx::test]
async fn a_failure_is_believed_only_when_nothing_sent_can_still_take_effect(pool: PgPool) {
    let (system, gateway, operator) = start(&pool, "6").await;
    assert_eq!(
        gateway.run("CLIENT_CREATE", client()).await["status"],
        "success"
    );
    system
        .fault(
            json!({ "match": { "method": "PUT", "path": "/clients/" }, "fault": "late_effect",
                       "delay_ms": 5000 }),
        )
        .await;
    let id = gateway.send("CLIENT_UPDATE", rename("C")).await;
    operator.in_state(&id, "parked").await;
    let effects = system.ledger().await.len();
    assert_eq!(effects, 1, "the update has not taken effect yet");

    let denied = operator.resolved(&id, "failed").await;
    assert_eq!(
        (&denied["state"], &denied["reason_code"]),
        (&"parked".into(), &"resolution_disagrees".into())
    );
    assert_eq!(system.ledger().await.len(), 2);
    assert_eq!(
        operator.resolved(&id, "succeeded").await["state"],
        "succeeded"
    );
}

/// A `CLIENT_CREATE` that was parked before any worker started.
async fn parked_create(pool: &PgPool) -> (System, Caller, Operator, String) {
    let mut system = System::start(pool).await;
    system.set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    system.set("ROLE", "api");
    let gateway = system.gateway().await;
    let id = gateway.send("CLIENT_CREATE", client()).await;
    park(pool, &id).await;
    system.set("ROLE", "all");
    let operator = Operator::of(gateway.address);
    (system, gateway, operator, id)
}

#[sqlx::test]
async fn fineract_is_asked_until_it_answers(pool: PgPool) {
    let (system, _door, operator, id) = parked_create(&pool).await;
    let _worker = system.gateway().await;
    system
        .fault(
            json!({ "match": { "method": "GET", "path": "/clients/" }, "fault": "garbage_after" }),
        )
        .await;
    let ended = operator.resolved(&id, "failed").await;
    assert_eq!(ended["state"], "failed");
    assert_eq!(ended["claims"], 2);
    assert!(system.ledger().await.is_empty());
}

#[sqlx::test]
async fn only_a_parked_one_is_resolved_and_only_by_a_word_that_is_known(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let parked = gateway.accept(&client_create("C")).await;
    park(&pool, &parked).await;
    let waiting = gateway.accept(&client_create("C")).await;
    let ready = gateway.accept(&client_create("D")).await;
    for id in [&waiting, &ready] {
        let answer = operator.resolve(id, "failed").await;
        assert_eq!(answer.problem(), (409, "operation_not_parked".to_owned()));
    }
    let send = |body: String| {
        let request = operator.request(Method::POST, &format!("/{parked}/resolve"));
        Answer::of(
            request
                .header("Content-Type", "application/json")
                .body(body),
        )
    };
    let too_long = "é".repeat(1001);
    for (body, status, code) in [
        (r#"{"outcome":"maybe"}"#.to_owned(), 422, "invalid_request"),
        (r#"{"note":"x"}"#.to_owned(), 422, "invalid_request"),
        (
            r#"{"outcome":"failed","reason":"x","reason_code":"x"}"#.to_owned(),
            422,
            "invalid_request",
        ),
        (
            format!(r#"{{"outcome":"failed","reason":"x","note":"{too_long}"}}"#),
            422,
            "invalid_request",
        ),
        (r#"{"outcome":"failed"}"#.to_owned(), 422, "invalid_request"),
        ("[]".to_owned(), 422, "invalid_request"),
        ("{".to_owned(), 400, "broken_json"),
    ] {
        assert_eq!(
            send(body.clone()).await.problem(),
            (status, code.to_owned()),
            "{body}"
        );
    }
    let without_type = operator.request(Method::POST, &format!("/{parked}/resolve"));
    let without_type = Answer::of(without_type).await;
    assert_eq!(without_type.problem(), (415, "not_json".to_owned()));
    assert_eq!(operator.inspect(&parked).await["state"], "parked");

    let note = "é".repeat(1000);
    let answer =
        send(json!({ "outcome": "failed", "note": note, "reason": "x" }).to_string()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let asked = operator.inspect(&parked).await;
    assert_eq!(
        (&asked["state"], &asked["resolution"]),
        (&"ready".into(), &"failed".into())
    );
    assert_eq!(
        (&asked["reason_code"], &asked["lost"]),
        (&"being_resolved".into(), &0.into())
    );
    let last = asked["audit"].as_array().and_then(|all| all.last());
    assert_eq!(last.expect("an action")["detail"]["note"], note);
    // Nothing was sent, so the operation can still be cancelled.
    assert_eq!(operator.act(&parked, "cancel").await.status, StatusCode::OK);
    assert_eq!(audit(&pool, &parked).await.len(), 2);
}
