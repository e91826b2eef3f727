//! Endpoints that pause.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{
    Bed, make_due,
    receiver::{Receiver, Reply},
};
use crate::support::{
    eventually::eventually,
    fixtures::{client_create, done},
};

#[sqlx::test]
async fn while_every_try_fails_one_delivery_at_a_time_is_tried(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let receiver = Receiver::start().await;
    let endpoint = bed.endpoint(&receiver, json!({})).await;
    // One after the other: as many tries as it takes to be in trouble.
    for count in 1..=5 {
        receiver.replies([Reply::Status(500)]);
        bed.at(&endpoint, Method::POST, "/test", Value::Null).await;
        receiver.gets(count).await;
        bed.newest("the try is recorded", |newest| newest["tries"] == 1)
            .await;
    }
    let paused = sqlx::query_scalar!(
        r#"SELECT paused_until > now() + interval '2 s' AS "paused!" FROM webhook_endpoint"#
    );
    assert!(paused.fetch_one(&pool).await.unwrap());
    receiver.replies([Reply::Held]);
    for _ in 0..10 {
        bed.at(&endpoint, Method::POST, "/test", Value::Null).await;
    }
    // The one that is tried is under way, and no other begins.
    receiver.gets(6).await;
    eventually("it ends in vain", async || {
        let log = bed.log("?state=waiting").await;
        log.iter()
            .any(|delivery| delivery["error"] == "the receiver did not finish its answer in time")
    })
    .await;
    assert_eq!(receiver.got().len(), 6);
    receiver.release();
    make_due(&pool).await;
    eventually("all are delivered", async || {
        make_due(&pool).await;
        bed.log("?state=delivered").await.len() == 15
    })
    .await;
}

#[sqlx::test]
async fn an_event_that_was_deleted_is_given_up_and_is_no_failure_of_the_receiver(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let receiver = Receiver::start().await;
    let endpoint = bed.endpoint(&receiver, json!({ "enabled": false })).await;
    for id in ["A", "B", "C", "D", "E", "F"] {
        bed.gateway.accept(&client_create(id)).await;
        bed.gateway.end_next(done()).await;
    }
    crate::events::numbered(&pool, 6).await;
    sqlx::raw_sql(
        "INSERT INTO webhook_delivery (endpoint_id, number, type, lane, due_at)
         SELECT w.id, e.number, e.type, 'client:a', now() FROM event e, webhook_endpoint w;
         UPDATE webhook_endpoint SET position = (SELECT max(number) FROM event);
         DELETE FROM event",
    )
    .execute(&pool)
    .await
    .unwrap();
    bed.at(&endpoint, Method::PATCH, "", json!({ "enabled": true }))
        .await;
    bed.at(&endpoint, Method::POST, "/test", Value::Null).await;
    receiver.gets(1).await;
    eventually("they are given up", async || {
        bed.log("?state=failed").await.len() == 6
    })
    .await;
    let failed = bed.log("?state=failed").await;
    assert_eq!(
        failed[0]["error"],
        "the event was deleted because of its age"
    );
    let shown = bed.at(&endpoint, Method::GET, "", Value::Null).await;
    assert_eq!(shown["failing_since"], Value::Null);
}

#[sqlx::test]
async fn whoever_acts_on_an_endpoint_ends_its_pause(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let receiver = Receiver::start().await;
    let endpoint = bed.endpoint(&receiver, json!({})).await;
    let path = |id: &Value| format!("/deliveries/{id}/resend");
    let pauses = async |expected: bool| {
        let pauses = sqlx::query_scalar!(
            r#"SELECT paused_until IS NOT NULL AS "pauses!" FROM webhook_endpoint"#
        );
        assert_eq!(pauses.fetch_one(&pool).await.unwrap(), expected);
    };
    let mut count = 0;
    for action in ["test", "resend", "enable"] {
        receiver.replies([Reply::With(503, "retry-after", "86400")]);
        let test = bed.at(&endpoint, Method::POST, "/test", Value::Null).await;
        let id = &test["delivery_id"];
        count += 1;
        receiver.gets(count).await;
        bed.newest("the try is recorded", |newest| {
            newest["id"] == *id && newest["tries"] == 1
        })
        .await;
        let paused = sqlx::query_scalar!(
            r#"SELECT paused_until BETWEEN now() + interval '4 min' AND now() + interval '5 min' AS "paused!" FROM webhook_endpoint"#
        );
        assert!(paused.fetch_one(&pool).await.unwrap());
        pauses(true).await;
        match action {
            "test" => drop(bed.at(&endpoint, Method::POST, "/test", Value::Null).await),
            "resend" => drop(bed.ask(Method::POST, &path(id), &Value::Null).await),
            _ => {
                bed.at(&endpoint, Method::PATCH, "", json!({ "enabled": true }))
                    .await;
                pauses(false).await;
                continue;
            }
        }
        count += 1;
        receiver.gets(count).await;
        bed.newest("it is delivered", |newest| newest["state"] == "delivered")
            .await;
        pauses(false).await;
    }
}
