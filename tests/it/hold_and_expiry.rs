//! Operations with an `expires_at`, and operations that an operator has put on hold.

use fineract_gateway::{
    domain::{Method, OperationType, Request, TrackingId},
    store::{SeenLoan, StartAttempt},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    Answer, OPS_TOKEN, TOKEN, TestGateway, claim_limits,
    fixtures::{FUTURE, PAST, client, client_create, expiring, loan_disburse, rename},
    operators::REASON,
    system::System,
};

#[sqlx::test]
async fn what_is_not_sent_in_time_fails_unsent(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    let late = gateway.submit(&expiring(client_create("C-1"), PAST)).await;
    let end = gateway.end_of(&late).await;
    assert_eq!(end["status"], "failed");
    assert_eq!(end["failure_response"], Value::Null);
    assert_eq!(
        end["error_message"],
        "Not sent: expires_at had passed when its turn came"
    );
    let in_time = gateway
        .submit(&expiring(client_create("C-2"), FUTURE))
        .await;
    assert_eq!(gateway.end_of(&in_time).await["status"], "success");
    let codes = sqlx::query_scalar!("SELECT code FROM result ORDER BY code")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(codes, [Some("expired".to_owned()), None]);
    assert_eq!(system.ledger().await.len(), 1);
    assert!(gateway.shut_down().await);
}

#[sqlx::test]
async fn nothing_is_sent_for_the_first_time_once_it_has_expired(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let id = gateway.accept(&expiring(client_create("C"), FUTURE)).await;
    let id: TrackingId = id.parse().unwrap();
    let limits = claim_limits(1, OperationType::ALL);
    assert_eq!(gateway.store.claim(&limits).await.unwrap().len(), 1);
    let start = |number, may_have_run| StartAttempt {
        effect_preexisted: false,
        id: id.id,
        number,
        key_number: 1,
        request: Request {
            method: Method::Post,
            path: "/a".to_owned(),
            body: None,
        },
        may_have_run,
        seen: SeenLoan::default(),
        user: "mifos".to_owned(),
        referents: Vec::new(),
        epoch: 1,
    };
    let expire = || async {
        sqlx::query!(
            "UPDATE operation SET expires_at = now() - interval '1 s' WHERE id = $1",
            id.id.0
        )
        .execute(&pool)
        .await
        .unwrap();
    };
    expire().await;
    assert!(!gateway.store.start_attempt(start(1, false)).await.unwrap());

    // A command that may have run is sent again even after `expires_at`.
    sqlx::query!("UPDATE operation SET expires_at = NULL")
        .execute(&pool)
        .await
        .unwrap();
    assert!(gateway.store.start_attempt(start(1, false)).await.unwrap());
    expire().await;
    sqlx::query!("UPDATE operation SET attempt = 2")
        .execute(&pool)
        .await
        .unwrap();
    assert!(!gateway.store.start_attempt(start(2, false)).await.unwrap());
    assert!(gateway.store.start_attempt(start(2, true)).await.unwrap());
}

#[sqlx::test]
async fn a_moment_is_written_with_its_offset(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    for (expires_at, is_taken) in [
        (json!(FUTURE), true),
        (json!("2099-01-01T00:00:00.5+05:30"), true),
        (Value::Null, true),
        (json!("2099-01-01T00:00:00"), false),
        (json!("2099-01-01"), false),
        (json!("soon"), false),
        (json!(4_070_908_800_i64), false),
    ] {
        let mut body = client_create("INC-1");
        body["expires_at"] = expires_at.clone();
        let answer = Answer::of(gateway.post("/fineract/operate", body.to_string())).await;
        if is_taken {
            assert_eq!(answer.status, StatusCode::ACCEPTED, "{expires_at}");
        } else {
            let problems = &answer.json()["errors"];
            assert_eq!(problems[0]["pointer"], "/expires_at", "{problems}");
            assert_eq!(problems[0]["code"], "invalid_time");
        }
    }
}

/// An operator's action on an operation.
async fn act(gateway: &TestGateway, id: &str, action: &str, token: &str) -> Answer {
    let path = format!("/fineract/operations/{id}/{action}");
    let request = gateway.request(reqwest::Method::POST, &path);
    let request = request.json(&json!({ "reason": REASON }));
    Answer::of(request.header("X-Internal-Token", token)).await
}

#[sqlx::test]
async fn one_that_is_held_keeps_its_place_and_is_not_claimed(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let body = loan_disburse("L");
    let first = gateway.accept(&body).await;
    let second = gateway.accept(&body).await;
    let other = gateway.accept(&client_create("INC-1")).await;
    let limits = claim_limits(10, OperationType::ALL);

    for _ in 0..2 {
        let held = act(&gateway, &first, "hold", OPS_TOKEN).await;
        assert_eq!(held.status, StatusCode::OK, "{}", held.text);
        assert_eq!(
            held.json(),
            json!({"tracking_id": first, "status": "on_hold"})
        );
    }
    let held = act(&gateway, &second, "hold", OPS_TOKEN).await;
    assert_eq!(
        held.status,
        StatusCode::OK,
        "a waiting operation can be put on hold too"
    );
    let status = async |id: &str| gateway.transaction_status(id).await;
    assert_eq!(status(&first).await, "on_hold");
    let claimed = gateway.store.claim(&limits).await.unwrap();
    let claimed: Vec<_> = claimed
        .iter()
        .map(|it| it.tracking_id().to_string())
        .collect();
    assert_eq!(claimed, std::slice::from_ref(&other));
    let running = act(&gateway, &other, "hold", OPS_TOKEN).await;
    assert_eq!(running.problem(), (409, "operation_running".to_owned()));

    act(&gateway, &first, "release", OPS_TOKEN).await;
    let claimed = gateway.store.claim(&limits).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].tracking_id().to_string(), first);
    assert_eq!(status(&first).await, "processing");
    assert_eq!(status(&second).await, "on_hold");

    let audit = sqlx::query_scalar!("SELECT action FROM audit ORDER BY id")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(audit, ["hold", "hold", "release"]);
    let refused = act(&gateway, &second, "release", TOKEN).await;
    assert_eq!(refused.problem(), (403, "forbidden".to_owned()));
}

#[sqlx::test]
async fn one_that_was_held_while_it_waited_is_held_when_its_turn_comes(pool: PgPool) {
    let mut system = System::start(&pool).await;
    system.set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    system.set("ROLE", "api");
    let door = system.gateway().await;
    let first = door.send("CLIENT_CREATE", client("C-1")).await;
    let second = door.send("CLIENT_UPDATE", rename("C-1")).await;
    let act = async |action: &str| {
        let path = format!("/fineract/operations/{second}/{action}");
        let request = door.request(reqwest::Method::POST, &path);
        let request = request.json(&json!({ "reason": REASON }));
        Answer::of(request.header("X-Internal-Token", OPS_TOKEN)).await
    };
    assert_eq!(act("hold").await.status, StatusCode::OK);
    system.set("ROLE", "all");
    let worker = system.gateway().await;
    assert_eq!(worker.end_of(&first).await["status"], "success");
    worker.succeeds("CLIENT_CREATE", client("C-2")).await;
    let request = door.request(
        reqwest::Method::GET,
        &format!("/fineract/operations/{second}"),
    );
    let seen = Answer::of(request.header("X-Internal-Token", OPS_TOKEN)).await;
    assert_eq!(
        (&seen.json()["state"], &seen.json()["on_hold"]),
        (&json!("ready"), &json!(true))
    );
    assert_eq!(act("release").await.status, StatusCode::OK);
    assert_eq!(worker.end_of(&second).await["status"], "success");
    assert!(worker.shut_down().await);
    assert!(door.shut_down().await);
}
