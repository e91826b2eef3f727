//! `Prefer: wait=N` on operate and track, over TCP.

use std::time::{Duration, Instant};

use fineract_gateway::domain::End;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    Answer, TestGateway,
    fixtures::{client_create, done},
};

#[sqlx::test]
async fn an_answer_is_held_until_the_operation_ends(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let body = client_create("INC-1").to_string();
    let held = Answer::of(
        gateway
            .post("/fineract/operate", body)
            .header("Prefer", "wait=20"),
    );
    let end = End::Succeeded {
        body: r#"{"clientId":42}"#.to_owned(),
        resource_id: fineract_gateway::domain::ResourceId::Unchanged,
    };
    let (answer, ()) = tokio::join!(held, gateway.end_next(end));
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("preference-applied"), "wait=20");
    assert_eq!(answer.header("retry-after"), "");
    let shown = answer.json();
    assert_eq!(shown["status"], "success");
    assert_eq!(shown["success_response"], json!({"clientId": 42}));
    let location = format!("/fineract/{}", answer.header("location"));
    assert_eq!(Answer::of(gateway.get(&location)).await.text, answer.text);
}

#[sqlx::test]
async fn a_wait_that_is_over_leaves_the_operation_processing(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let body = client_create("INC-1").to_string();
    let post = || {
        let request = gateway.post("/fineract/operate", body.clone());
        request.header("Idempotency-Key", "order-1")
    };
    let answer = Answer::of(post().header("Prefer", "wait=0")).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.header("preference-applied"), "wait=0");
    assert_eq!(answer.header("retry-after"), "2");
    assert_eq!(answer.json()["status"], "processing");

    let end = End::Succeeded {
        body: "{}".to_owned(),
        resource_id: fineract_gateway::domain::ResourceId::Unchanged,
    };
    gateway.end_next(end).await;
    let replayed: Value = Answer::of(post().header("Prefer", "wait=0")).await.json();
    assert_eq!(replayed["status"], "success");
    assert_eq!(replayed["tracking_id"], answer.json()["tracking_id"]);
}

#[sqlx::test]
async fn a_poll_is_held_until_the_operation_ends(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let id = gateway.accept(&client_create("INC-1")).await;
    let poll = || {
        gateway
            .get(&format!("/fineract/track/{id}"))
            .header("Prefer", "wait=19")
    };
    let end = End::Succeeded {
        body: "{}".to_owned(),
        resource_id: fineract_gateway::domain::ResourceId::Unchanged,
    };
    let started = Instant::now();
    let (first, second, ()) = tokio::join!(
        Answer::of(poll()),
        Answer::of(poll()),
        gateway.end_next(end)
    );
    for answer in [first, second, Answer::of(poll()).await] {
        assert_eq!(answer.json()["status"], "success");
        assert_eq!(answer.header("preference-applied"), "wait=19");
    }
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
}

#[sqlx::test]
async fn a_held_poll_is_answered_when_its_time_is_up_or_the_gateway_shuts_down(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let id = gateway.accept(&client_create("INC-1")).await;
    let path = format!("/fineract/track/{id}");

    let started = Instant::now();
    let answer = Answer::of(gateway.get(&path).header("Prefer", "wait=1")).await;
    assert!(
        started.elapsed() >= Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(answer.json()["status"], "processing");

    let held = Answer::of(gateway.get(&path).header("Prefer", "wait=3600"));
    let (answer, ()) = tokio::join!(held, async { gateway.draining.cancel() });
    assert_eq!(answer.json()["status"], "processing");
    assert_eq!(answer.header("preference-applied"), "wait=50");
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );

    let unknown = "/fineract/track/CLIENT_CREATE|406362bf-f3da-4bc6-a506-d67e0878b7b6";
    let answer = Answer::of(gateway.get(unknown).header("Prefer", "wait=60")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

/// The gateway that has committed an end answers from its memory, as every other gateway answers from the database.
#[sqlx::test]
async fn an_end_of_this_process_is_answered_without_the_database(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let other = TestGateway::start(pool.clone()).await;
    let refused = End::Failed {
        body: Some(r#"{"httpStatusCode":"403"}"#.to_owned()),
        message: "It is not allowed.".to_owned(),
        code: "refused".to_owned(),
        fails_dependents: false,
    };
    for (number, end) in [done(), refused].into_iter().enumerate() {
        let id = gateway.accept(&client_create(&format!("C-{number}"))).await;
        gateway.end_next(end).await;
        let read = other.track(&id).await;
        assert_ne!(read["status"], "processing");
        let mut transaction = pool.begin().await.unwrap();
        sqlx::query!("LOCK TABLE result IN ACCESS EXCLUSIVE MODE")
            .execute(&mut *transaction)
            .await
            .unwrap();
        assert_eq!(gateway.track(&id).await, read);
        let of_another_type = id.replace("CLIENT_CREATE", "CLIENT_UPDATE");
        let path = format!("/fineract/track/{}", of_another_type.replace('|', "%7C"));
        let answer = Answer::of(gateway.get(&path)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        transaction.rollback().await.unwrap();
    }
}
