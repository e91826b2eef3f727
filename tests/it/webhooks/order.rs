//! In which order and how fast deliveries are sent.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{
    Bed, make_due,
    receiver::{Receiver, Reply},
};
use crate::support::{
    eventually::eventually,
    fixtures::{client_create, client_update, done},
};

#[sqlx::test]
async fn an_ordered_endpoint_gets_an_event_of_a_lane_after_the_one_before(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let receiver = Receiver::start().await;
    bed.endpoint(&receiver, json!({ "ordered": true })).await;
    receiver.replies([Reply::Status(500)]);
    let first = bed.gateway.accept(&client_create("A")).await;
    bed.gateway.end_next(done()).await;
    receiver.gets(1).await;
    bed.newest("the try is recorded", |newest| newest["tries"] == 1)
        .await;
    let second = bed.gateway.accept(&client_update("A")).await;
    bed.gateway.end_next(done()).await;
    let elsewhere = bed.gateway.accept(&client_create("B")).await;
    bed.gateway.end_next(done()).await;
    // The other lane goes on.
    let got = receiver.gets(2).await;
    assert_eq!(got[1].says(), format!("operation.succeeded {elsewhere}"));
    bed.newest("it is recorded", |newest| newest["state"] == "delivered")
        .await;
    assert_eq!(bed.log("?state=waiting").await.len(), 2);
    make_due(&pool).await;
    let got = receiver.gets(4).await;
    assert_eq!(got[2].says(), format!("operation.succeeded {first}"));
    assert_eq!(got[3].says(), format!("operation.succeeded {second}"));
}

#[sqlx::test]
async fn a_slow_endpoint_holds_up_no_other(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let (slow, fast) = (Receiver::start().await, Receiver::start().await);
    bed.endpoint(&slow, json!({})).await;
    bed.endpoint(&fast, json!({})).await;
    slow.replies([Reply::Held, Reply::Held, Reply::Held]);
    for id in ["A", "B", "C"] {
        bed.gateway.accept(&client_create(id)).await;
        bed.gateway.end_next(done()).await;
    }
    fast.gets(3).await;
    slow.gets(3).await;
}

#[sqlx::test]
async fn no_more_deliveries_begin_in_a_second_than_the_endpoint_wants(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let receiver = Receiver::start().await;
    let endpoint = bed.endpoint(&receiver, json!({ "rate": 2 })).await;
    let started = Instant::now();
    for _ in 0..5 {
        bed.at(&endpoint, Method::POST, "/test", Value::Null).await;
    }
    receiver.gets(5).await;
    assert!(
        started.elapsed() >= Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
}

#[sqlx::test]
async fn another_process_goes_on_where_one_has_stopped(pool: PgPool) {
    let first = Bed::start(&pool).await;
    let receiver = Receiver::start().await;
    let endpoint = first.endpoint(&receiver, json!({})).await;
    first
        .at(&endpoint, Method::POST, "/test", Value::Null)
        .await;
    receiver.gets(1).await;
    let second = Bed::start(&pool).await;
    // The shutdown waits for the delivery that is under way.
    receiver.replies([Reply::Held]);
    first
        .at(&endpoint, Method::POST, "/test", Value::Null)
        .await;
    receiver.gets(2).await;
    first.stop.cancel();
    second
        .at(&endpoint, Method::POST, "/test", Value::Null)
        .await;
    receiver.release();
    receiver.gets(3).await;
    eventually("all are recorded", async || {
        second.log("?state=delivered").await.len() == 3
    })
    .await;
    assert_eq!(receiver.got().len(), 3);
}

#[sqlx::test]
async fn what_was_not_recorded_is_sent_again_after_a_crash(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let receiver = Receiver::start().await;
    let endpoint = bed.endpoint(&receiver, json!({})).await;
    bed.at(&endpoint, Method::POST, "/test", Value::Null).await;
    receiver.gets(1).await;
    bed.newest("it is recorded", |newest| newest["state"] == "delivered")
        .await;
    // As if the process had ended between the answer and its record, and its lease had ended.
    sqlx::raw_sql(
        "UPDATE webhook_delivery SET delivered_at = NULL, due_at = now(), tries = 0;
         UPDATE webhook_endpoint SET run_by = gen_random_uuid(), run_until = now() + interval '1 s'",
    )
    .execute(&pool)
    .await
    .unwrap();
    let got = receiver.gets(2).await;
    assert_eq!(got[0].header("webhook-id"), got[1].header("webhook-id"));
}

#[sqlx::test]
async fn a_lane_that_waits_holds_up_no_other_lane(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let receiver = Receiver::start().await;
    bed.endpoint(&receiver, json!({ "ordered": true })).await;
    receiver.replies([Reply::Status(500)]);
    bed.gateway.accept(&client_create("A")).await;
    bed.gateway.end_next(done()).await;
    bed.newest("the try is recorded", |newest| newest["tries"] == 1)
        .await;
    // More events of this lane than are planned together.
    sqlx::raw_sql(
        "INSERT INTO event (number, type, owner, operation_id, at)
         SELECT e.number + n, e.type, e.owner, e.operation_id, e.at FROM event e, generate_series(1, 1500) n;
         UPDATE event_sequence SET last = (SELECT max(number) FROM event)",
    )
    .execute(&pool)
    .await
    .unwrap();
    let elsewhere = bed.gateway.accept(&client_create("B")).await;
    bed.gateway.end_next(done()).await;
    let got = receiver.gets(2).await;
    assert_eq!(got[1].says(), format!("operation.succeeded {elsewhere}"));
    assert_eq!(got.len(), 2);
}

#[sqlx::test]
async fn events_of_other_types_are_passed_over_at_once(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let receiver = Receiver::start().await;
    bed.endpoint(&receiver, json!({ "event_types": ["operation.failed"] }))
        .await;
    bed.gateway.accept(&client_create("A")).await;
    bed.gateway.end_next(done()).await;
    crate::events::numbered(&pool, 1).await;
    sqlx::raw_sql(
        "INSERT INTO event (number, type, owner, operation_id, at)
         SELECT e.number + n, e.type, e.owner, e.operation_id, e.at FROM event e, generate_series(1, 3500) n;
         UPDATE event_sequence SET last = (SELECT max(number) FROM event)",
    )
    .execute(&pool)
    .await
    .unwrap();
    eventually("the position is behind all events", async || {
        let is_behind = sqlx::query_scalar!(
            r#"SELECT position = (SELECT max(number) FROM event) AS "is_behind!" FROM webhook_endpoint"#
        );
        is_behind.fetch_one(&pool).await.unwrap()
    })
    .await;
    assert!(receiver.got().is_empty());
}
