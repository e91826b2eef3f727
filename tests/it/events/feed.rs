//! `GET /events`: what a caller is told.

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{feed, numbered};
use crate::{
    bulk::Bulk,
    support::{
        Answer, TestGateway,
        fixtures::{client_create, client_update, done, refused},
        operators::park,
    },
};

/// Adds the four headers of the bulk client `lender`.
pub(crate) fn as_lender(request: RequestBuilder) -> RequestBuilder {
    request
        .header("client_id", "lender-id")
        .header("client_secret", "lender-secret")
        .header("appIdentifier", "lender-app")
        .header("organisationId", "lender-org")
}

#[sqlx::test]
async fn a_caller_is_told_what_track_answers_of_its_own_operations(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let failed = gateway.accept(&client_create("A")).await;
    gateway.end_next(refused()).await;
    let parked = gateway.accept(&client_update("B")).await;
    park(&pool, &parked).await;
    let other = gateway.request(Method::POST, "/fineract/operate");
    let other = other
        .header("X-Internal-Token", "bulk-secret")
        .json(&client_create("C"));
    assert_eq!(Answer::of(other).await.status, 202);
    gateway.end_next(done()).await;
    numbered(&pool, 3).await;

    let told = feed(&gateway, "").await;
    let events = told["events"].as_array().unwrap();
    assert_eq!(events.len(), 2, "{told}");
    assert_eq!(told["has_more"], false);
    assert_eq!(events[0]["type"], "operation.failed");
    assert_eq!(events[0]["data"], gateway.track(&failed).await);
    assert_eq!(events[1]["type"], "operation.parked");
    assert_eq!(events[1]["data"], gateway.track(&parked).await);
    // The caller knows of the failure now, so what it sends next does not depend on it.
    let is_read = sqlx::query_scalar!("SELECT failure_read FROM lane WHERE key = 'client:a'");
    assert!(is_read.fetch_one(&pool).await.unwrap());

    // A reader that stops after any event misses none of the next ones.
    let first = feed(&gateway, "?limit=1").await;
    assert_eq!(first["has_more"], true);
    assert_eq!(first["next"], events[0]["number"]);
    let rest = feed(&gateway, &format!("?after={}", first["next"])).await;
    assert_eq!(rest["events"], json!([events[1]]));
    assert_eq!(rest["next"], told["next"]);
    let none = feed(&gateway, &format!("?after={}", told["next"])).await;
    assert_eq!(none["events"], json!([]));
    assert_eq!(none["next"], told["next"]);
    assert_eq!(feed(&gateway, "?after=now").await, none);
}

#[sqlx::test]
async fn a_bulk_client_is_told_of_its_batches_and_their_operations(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.accept(&client_update("A")).await;
    gateway.end_next(done()).await;
    let bulk = Bulk::new(gateway.address);
    bulk.schedule("r", vec![client_update("B")]).await;
    gateway.end_next(done()).await;
    numbered(&pool, 3).await;
    let answer = Answer::of(as_lender(gateway.request(Method::GET, "/events"))).await;
    let events = answer.json()["events"].take();
    assert_eq!(events[0]["type"], "operation.succeeded", "{events}");
    assert_eq!(events[0]["data"]["status"], "success");
    assert_eq!(events[1]["type"], "batch.completed");
    let mut status = bulk.status(&json!({ "reference_id": "r" })).await;
    let status = status.as_object_mut().unwrap();
    status.retain(|key, _| key != "records" && key != "pagination");
    assert_eq!(events[1]["data"], Value::Object(status.clone()));
    assert_eq!(events[2], Value::Null);
    assert_eq!(
        feed(&gateway, "").await["events"].as_array().unwrap().len(),
        1
    );
}

#[sqlx::test]
async fn a_reader_that_waits_is_told_at_once(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    // The gateway that numbers may be another one.
    let elsewhere = TestGateway::start(pool.clone()).await;
    let id = gateway.accept(&client_update("A")).await;
    let started = Instant::now();
    let waiting = feed(&elsewhere, "?wait=50");
    let (told, ()) = tokio::join!(waiting, gateway.end_next(done()));
    assert_eq!(told["events"][0]["data"]["tracking_id"], id);
    assert!(started.elapsed() < Duration::from_secs(20));

    let after = told["next"].clone();
    let started = Instant::now();
    let none = feed(&gateway, &format!("?after={after}&wait=1")).await;
    assert_eq!(none["events"], json!([]));
    assert!(started.elapsed() >= Duration::from_secs(1));
    let query = format!("?after={after}&wait=50");
    let waiting = feed(&gateway, &query);
    let (none, ()) = tokio::join!(waiting, async { gateway.draining.cancel() });
    assert_eq!(none["events"], json!([]));
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[sqlx::test]
async fn a_cursor_before_what_was_deleted_is_refused_with_the_oldest(pool: PgPool) {
    // Two events of 31 days ago.
    sqlx::raw_sql(
        "INSERT INTO event (number, type, owner, operation_id, at)
         SELECT (EXTRACT(EPOCH FROM now() - interval '31 days') * 1000000)::bigint + n, 'operation.failed', 'token:los',
                gen_random_uuid(), now()
           FROM generate_series(1, 2) n;
         UPDATE event_sequence SET last = (SELECT max(number) FROM event)",
    )
    .execute(&pool)
    .await
    .unwrap();
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.accept(&client_update("A")).await;
    gateway.end_next(done()).await;
    let left =
        "SELECT (SELECT count(*) FROM event) = 1 AND (SELECT deleted FROM event_sequence) > 0";
    crate::support::database::eventually_true(&pool, left).await;

    let answer = Answer::of(gateway.get("/events?after=17")).await;
    assert_eq!(answer.problem(), (410, "events_deleted".to_owned()));
    let oldest = answer.json()["oldest"].clone();
    let told = feed(&gateway, &format!("?after={oldest}")).await;
    assert_eq!(told["events"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(feed(&gateway, "").await, told);
    let operator = crate::support::operators::Operator::of(gateway.address);
    let stream = operator.get("/events?after=17").await;
    assert_eq!(stream.problem(), (410, "events_deleted".to_owned()));
}

#[sqlx::test]
async fn a_request_that_makes_no_sense_is_refused(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    for query in [
        "after=x",
        "after=-1",
        "after=soon",
        "limit=0",
        "limit=501",
        "wait=51",
        "wait=-1",
        "before=1",
    ] {
        let answer = Answer::of(gateway.get(&format!("/events?{query}"))).await;
        assert_eq!(
            answer.problem(),
            (400, "invalid_query".to_owned()),
            "{query}"
        );
    }
    let nobody = Answer::of(gateway.request(Method::GET, "/events")).await;
    assert_eq!(nobody.problem(), (401, "unauthorized".to_owned()));
    let wrong = gateway.request(Method::GET, "/events");
    let wrong = Answer::of(wrong.header("client_secret", "lender-secret")).await;
    assert_eq!(wrong.problem(), (401, "unauthorized".to_owned()));
}
