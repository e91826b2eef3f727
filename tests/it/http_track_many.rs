//! `POST /fineract/track`, over TCP.

use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    Answer, TestGateway,
    database::is_true,
    fixtures::{client_create, done, refused},
};

async fn track(gateway: &TestGateway, body: &Value) -> Answer {
    Answer::of(gateway.post("/fineract/track", body.to_string())).await
}

#[sqlx::test]
async fn many_are_tracked_in_the_order_of_the_request(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let succeeded = gateway.accept(&client_create("C-1")).await;
    gateway.end_next(done()).await;
    let failed = gateway.accept(&client_create("C-2")).await;
    gateway.end_next(refused()).await;
    let open = gateway.accept(&client_create("C-3")).await;
    // It has another type, so no operation has this tracking id.
    let other = open.replace("CLIENT_CREATE", "CLIENT_UPDATE");
    let is_unread =
        "SELECT EXISTS (SELECT FROM lane WHERE failed_at IS NOT NULL AND NOT failure_read)";
    assert!(is_true(&pool, is_unread).await);

    let newer = open.replace("CLIENT_CREATE", "OF_A_NEWER_GATEWAY");
    let body = json!({ "tracking_ids": [open, failed, newer, other, succeeded, open] });
    let answer = track(&gateway, &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let answer = answer.json();
    assert!(!is_true(&pool, is_unread).await, "the failure was read");
    let mut alone = Vec::new();
    for id in [&open, &failed, &succeeded, &open] {
        let tracked = Answer::of(gateway.get(&format!("/fineract/track/{id}"))).await;
        alone.push(tracked.json());
    }
    assert_eq!(
        answer,
        json!({ "operations": alone, "unknown": [newer, other] }),
        "each is as track reports it alone"
    );
}

#[sqlx::test]
async fn every_malformed_id_is_named(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let id = gateway.accept(&client_create("C-1")).await;
    let answer = track(&gateway, &json!({ "tracking_ids": [id, "x", id, "y|z"] })).await;
    assert_eq!(answer.problem(), (422, "invalid_request".to_owned()));
    let pointers: Vec<_> = answer.json()["errors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|problem| problem["pointer"].clone())
        .collect();
    assert_eq!(pointers, ["/tracking_ids/1", "/tracking_ids/3"]);
    let five_hundred = vec![id.as_str(); 500];
    let answer = track(&gateway, &json!({ "tracking_ids": five_hundred })).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let too_many = vec![id.as_str(); 501];
    for body in [
        json!({ "tracking_ids": [] }),
        json!({ "tracking_ids": too_many }),
        json!({ "tracking_ids": [1] }),
        json!({ "ids": [id] }),
        json!([]),
    ] {
        let answer = track(&gateway, &body).await;
        assert_eq!(answer.problem(), (422, "invalid_request".to_owned()));
    }
}
