//! `GET /fineract/operations/{id}` shows everything that the gateway knows about an operation.

use fineract_gateway::domain::{CredentialKind, End, FineractHealth, OperationId};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{
    keys::Key,
    support::{
        Answer, TestGateway,
        fixtures::{client_create, client_update, loan_create},
        operators::{Operator, leave_attempt, looks, park, uuid},
    },
};

const TIMES: [&str; 8] = [
    "at",
    "since",
    "reason_since",
    "accepted_at",
    "due_at",
    "ended_at",
    "sent_at",
    "answered_at",
];

/// Replaces each time by `time`, so that the rest can be compared.
fn hide_times(value: &mut Value) {
    if let Some(items) = value.as_array_mut() {
        items.iter_mut().for_each(hide_times);
    }
    for (name, field) in value.as_object_mut().into_iter().flatten() {
        if let (Some(time), true) = (field.as_str(), TIMES.contains(&name.as_str())) {
            chrono::DateTime::parse_from_rfc3339(time).expect("a time");
            assert!(time.ends_with('Z'), "{time}");
            *field = "time".into();
        }
        hide_times(field);
    }
}

#[sqlx::test]
async fn a_parked_one_shows_its_attempts_and_a_waiting_one_whom_it_waits_for(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let client = gateway.accept(&client_create("C")).await;
    park(&pool, &client).await;
    leave_attempt(&pool, &client).await;
    sqlx::query!(
        "INSERT INTO attempt (operation_id, number, key_number, method, path, body, answered_at, status, cached, answer)
         VALUES ($1, 3, 2, 'POST', '/clients', '{\"a\":1.10}', now(), 425, true, '<busy>')",
        uuid(&client)
    )
    .execute(&pool)
    .await
    .unwrap();
    let loan = gateway.accept(&loan_create("L", "C")).await;
    gateway.accept(&loan_create("L", "C")).await;
    let last = gateway.accept(&loan_create("L", "C")).await;

    let key = uuid(&client);
    let mut inspected = operator.inspect(&client).await;
    hide_times(&mut inspected);
    let around = ["retries", "batch", "neighbours", "actions"];
    let around = around.map(|key| {
        inspected
            .as_object_mut()
            .unwrap()
            .shift_remove(key)
            .unwrap()
    });
    assert_eq!(around[..3], [json!([client]), json!(null), json!([])]);
    let possible = around[3].as_array().unwrap().iter();
    let possible: Vec<_> = possible
        .map(|action| (&action["action"], &action["possible"], &action["code"]))
        .collect();
    let [sent, parked, free] = [
        "operation_sent",
        "operation_parked",
        "operation_not_on_hold",
    ];
    assert_eq!(
        possible,
        [
            (&json!("retry"), &json!(true), &json!(null)),
            (&json!("cancel"), &json!(false), &json!(sent)),
            (&json!("hold"), &json!(false), &json!(parked)),
            (&json!("release"), &json!(false), &json!(free)),
            (&json!("resolve"), &json!(true), &json!(null)),
        ]
    );
    assert_eq!(
        inspected.to_string(),
        json!({
            "tracking_id": client, "operation_type": "CLIENT_CREATE", "state": "parked",
            "on_hold": false, "hold_all": null, "reason_code": "evidence_cannot_tell", "reason_since": "time", "resolution": null,
            "caller": "los", "accepted_at": "time", "expires_at": null, "due_at": null, "ended_at": null, "claims": 0, "key_number": 1,
            "lost": 5, "lanes": [{ "lane": "client:c", "position": 1, "writes": true }],
            "retry_of": null, "payload": client_create("C")["data"], "result": null,
            "retried_by": null, "waits_for": [],
            "attempts": [
                { "number": 1, "idempotency_key": format!("{key}-1"), "method": "POST",
                  "path": "/clients", "body": { "locale": "en" }, "effect_preexisted": false, "sent_at": "time",
                  "answered_at": null, "status": null, "cached": null, "answer": null, "error": null },
                { "number": 3, "idempotency_key": format!("{key}-2"), "method": "POST",
                  "path": "/clients", "body": { "a": 1.10 }, "effect_preexisted": false, "sent_at": "time",
                  "answered_at": "time", "status": 425, "cached": true, "answer": "<busy>",
                  "error": null }
            ],
            "audit": [],
            "fineract": { "state": "unknown" }
        })
        .to_string()
    );
    let waiting = operator.inspect(&last).await;
    assert_eq!(waiting["state"], "waiting");
    let ahead: Vec<_> = waiting["waits_for"].as_array().unwrap().clone();
    assert_eq!(
        ahead[0],
        json!({ "tracking_id": client, "state": "parked", "reason_code": "evidence_cannot_tell",
                "lane": "client:c", "position": 1 })
    );
    assert_eq!(
        ahead[1],
        json!({ "tracking_id": loan, "state": "waiting", "reason_code": null, "lane": "loan:l", "position": 1 })
    );
    assert_eq!(
        ahead.len(),
        3,
        "readers do not wait for each other: {ahead:?}"
    );
}

#[sqlx::test]
async fn without_the_scope_for_personal_data_names_and_bodies_are_masked(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let client = gateway.accept(&client_create("C")).await;
    let update = gateway.accept(&client_update("C")).await;
    leave_attempt(&pool, &client).await;
    let id = OperationId(uuid(&client));
    let inspected = gateway.store.inspect(id).await.unwrap().unwrap();
    let masked = json!(inspected.without_personal_data());
    assert_eq!(
        masked["payload"],
        json!({ "firstname": "***", "lastname": "***", "externalId": "C", "activationDate": "01 January 2026" })
    );
    assert_eq!(masked["attempts"][0]["body"], json!({ "locale": "en" }));
    assert_eq!(masked["neighbours"][0]["tracking_id"], *update);
    assert!(!masked.to_string().contains("Jayesh"));
}

#[sqlx::test]
async fn no_more_than_ten_of_those_ahead_are_named(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let operator = Operator::of(gateway.address);
    let mut ids = Vec::new();
    for _ in 0..13 {
        ids.push(gateway.accept(&client_create("C")).await);
    }
    let last = operator.inspect(&ids[12]).await;
    let ahead: Vec<_> = last["waits_for"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["tracking_id"].as_str().unwrap())
        .collect();
    assert_eq!(ahead, ids[..10]);
}

#[sqlx::test]
async fn an_ended_one_shows_its_result_and_its_failure_counts_as_read(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let operator = Operator::of(gateway.address);
    let id = gateway.accept(&client_create("C")).await;
    gateway
        .end_next(End::Failed {
            body: Some(r#"{"httpStatusCode":"403","amount":100000.10}"#.to_owned()),
            message: "Fineract returned 403".to_owned(),
            code: "error.msg.client".to_owned(),
            fails_dependents: true,
        })
        .await;
    let ended = operator.inspect(&id).await;
    assert_eq!(ended["state"], "failed");
    assert!(ended["ended_at"].is_string());
    assert_eq!(
        ended["result"].to_string(),
        r#"{"code":"error.msg.client","success_response":null,"failure_response":{"httpStatusCode":"403","amount":100000.1},"error_message":"Fineract returned 403"}"#
    );
    let raw = operator
        .request(Method::GET, &format!("/{id}"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        raw.contains(r#""failure_response":{"httpStatusCode":"403","amount":100000.10}"#),
        "{raw}"
    );
    // The operator has read the failure. So new operations do not depend on it.
    let behind = gateway.accept(&loan_create("L", "C")).await;
    while gateway.store.fail_some_dependents().await.unwrap() {}
    assert_eq!(operator.inspect(&behind).await["state"], "ready");
}

#[sqlx::test]
async fn the_audit_has_who_reads_people_s_data_once_an_hour(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let id = gateway.accept(&client_create("C")).await;
    let masked = json!({ "name": "ann", "scopes": ["ops.read"] });
    let masked = Key::create(&gateway, CredentialKind::Ops, masked).await;
    let read = gateway.request(Method::GET, &format!("/fineract/operations/{id}"));
    let read = Answer::of(read.header("X-Internal-Token", &masked.secret)).await;
    assert_eq!(read.status, 200, "{}", read.text);
    assert!(looks(&pool, &id).await.is_empty());
    for _ in 0..2 {
        operator.inspect(&id).await;
        assert_eq!(looks(&pool, &id).await, ["admin"]);
    }
    let other = json!({ "name": "bob", "scopes": ["ops.read", "ops.pii"] });
    let other = Key::create(&gateway, CredentialKind::Ops, other).await;
    let read = gateway.request(Method::GET, &format!("/fineract/operations/{id}"));
    let read = Answer::of(read.header("X-Internal-Token", &other.secret)).await;
    assert!(read.text.contains("Badgujar"), "{}", read.text);
    assert_eq!(looks(&pool, &id).await, ["admin", "bob"]);
}

#[sqlx::test]
async fn whether_fineract_takes_anything_is_shown(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let operator = Operator::of(gateway.address);
    let id = gateway.accept(&client_create("C")).await;
    gateway.fineract.send_replace(FineractHealth::Blocked {
        reason: "unauthorized",
        since: "2026-01-01T00:00:00Z".parse().unwrap(),
    });
    assert_eq!(
        operator.inspect(&id).await["fineract"],
        json!({ "state": "blocked", "reason": "unauthorized", "since": "2026-01-01T00:00:00Z" })
    );
}
