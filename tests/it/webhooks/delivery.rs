//! What a receiver gets.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{
    Bed,
    receiver::{Got, Receiver, Reply},
};
use crate::{
    bulk::Bulk,
    events::feed::as_lender,
    support::{
        Answer,
        eventually::eventually,
        fixtures::{client_create, client_update, done, refused},
        operators::park,
    },
};

#[sqlx::test]
async fn each_event_of_the_owner_is_delivered_once_and_signed(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let gateway = &bed.gateway;
    // What happened before the endpoint was created is not delivered.
    gateway.accept(&client_create("Z")).await;
    gateway.end_next(done()).await;
    crate::events::numbered(&pool, 1).await;
    let receiver = Receiver::start().await;
    let headers = json!({ "X-Key": "mine" });
    let endpoint = bed.endpoint(&receiver, json!({ "headers": headers })).await;

    let other = gateway.request(Method::POST, "/fineract/operate");
    let other = other
        .header("X-Internal-Token", "bulk-secret")
        .json(&client_create("C"));
    assert_eq!(Answer::of(other).await.status, 202);
    gateway.end_next(done()).await;
    let created = gateway.accept(&client_create("A")).await;
    gateway.end_next(done()).await;
    receiver.gets(1).await;
    let parked = gateway.accept(&client_update("A")).await;
    park(&pool, &parked).await;

    let got = receiver.gets(2).await;
    let says: Vec<_> = got.iter().map(Got::says).collect();
    assert_eq!(
        says,
        [
            format!("operation.succeeded {created}"),
            format!("operation.parked {parked}")
        ]
    );
    let feed = crate::events::feed(gateway, "").await;
    for (got, event) in got
        .iter()
        .zip(feed["events"].as_array().unwrap().iter().skip(1))
    {
        let body = got.json();
        assert_eq!(body["data"], event["data"]);
        assert_eq!(body["timestamp"], event["timestamp"]);
        assert_eq!(body.as_object().unwrap().len(), 3);
        assert_eq!(got.header("webhook-id"), format!("evt_{}", event["number"]));
        assert_eq!(got.header("content-type"), "application/json");
        assert_eq!(got.header("x-key"), "mine");
        assert!(got.is_signed_by(&endpoint["secret"]));
    }
    let newest = bed
        .newest("the delivery is recorded", |newest| {
            newest["state"] == "delivered"
        })
        .await;
    assert_eq!(newest["status"], 200);
    assert_eq!(newest["response"], "thank\u{fffd}you");
    assert_eq!(
        (&newest["error"], &newest["due_at"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(bed.log("?state=delivered").await.len(), 2);
    let older = bed.log(&format!("?before={}", newest["id"])).await;
    assert_eq!(older.len(), 1);
    assert_eq!(older[0]["type"], "operation.succeeded");
}

#[sqlx::test]
async fn a_failure_counts_as_read_when_it_was_delivered(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let receiver = Receiver::start().await;
    bed.endpoint(&receiver, json!({})).await;
    receiver.replies([Reply::Status(500)]);
    bed.gateway.accept(&client_create("A")).await;
    bed.gateway.end_next(refused()).await;
    let is_read = async || {
        let is_read = sqlx::query_scalar!("SELECT failure_read FROM lane WHERE key = 'client:a'");
        is_read.fetch_one(&pool).await.unwrap()
    };
    bed.newest("the first try failed", |newest| newest["tries"] == 1)
        .await;
    assert!(!is_read().await);
    super::make_due(&pool).await;
    eventually("the failure counts as read", is_read).await;
}

#[sqlx::test]
async fn an_endpoint_gets_the_types_that_it_wants_with_ids_if_it_wants_no_more(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let (some, thin) = (Receiver::start().await, Receiver::start().await);
    bed.endpoint(&some, json!({ "event_types": ["operation.failed"] }))
        .await;
    bed.endpoint(&thin, json!({ "thin": true })).await;
    bed.gateway.accept(&client_create("A")).await;
    bed.gateway.end_next(done()).await;
    thin.gets(1).await;
    let failed = bed.gateway.accept(&client_update("A")).await;
    bed.gateway.end_next(refused()).await;
    let got = thin.gets(2).await;
    assert_eq!(got[1].json()["data"], json!({ "tracking_id": failed }));
    let got = some.gets(1).await;
    assert_eq!(got[0].says(), format!("operation.failed {failed}"));
    assert_eq!(some.got().len(), 1);
}

#[sqlx::test]
async fn a_bulk_client_is_told_of_its_batches(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let (receiver, thin) = (Receiver::start().await, Receiver::start().await);
    for (receiver, thin) in [(&receiver, false), (&thin, true)] {
        let request = bed.gateway.request(Method::POST, "/webhooks/endpoints");
        let body =
            json!({ "url": receiver.url(), "thin": thin, "event_types": ["batch.completed"] });
        assert_eq!(Answer::of(as_lender(request).json(&body)).await.status, 201);
    }
    let bulk = Bulk::new(bed.gateway.address);
    bulk.schedule("r", vec![client_create("B")]).await;
    bed.gateway.end_next(done()).await;
    let got = receiver.gets(1).await;
    let mut status = bulk.status(&json!({ "reference_id": "r" })).await;
    let status = status.as_object_mut().unwrap();
    status.retain(|key, _| key != "records" && key != "pagination");
    assert_eq!(got[0].json()["data"], Value::Object(status.clone()));
    assert_eq!(
        thin.gets(1).await[0].json()["data"],
        json!({ "reference_id": "r" })
    );
}

#[sqlx::test]
async fn while_a_key_is_rotated_both_keys_verify(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let receiver = Receiver::start().await;
    let endpoint = bed.endpoint(&receiver, json!({})).await;
    let old = &endpoint["secret"];
    let rotated = bed.at(&endpoint, Method::POST, "/rotate", json!({})).await;
    let new = &rotated["secret"];
    assert_ne!(old, new);
    bed.at(&endpoint, Method::POST, "/test", Value::Null).await;
    let got = receiver.gets(1).await;
    assert!(
        got[0].is_signed_by(old) && got[0].is_signed_by(new),
        "{:?}",
        got[0].headers
    );
    assert_eq!(
        got[0].says(),
        format!("webhook.test {}", endpoint["id"].as_str().unwrap())
    );

    // Whoever repeats a rotation whose answer was lost does not lose the key that the receiver has.
    let newer = bed.at(&endpoint, Method::POST, "/rotate", json!({})).await;
    bed.at(&endpoint, Method::POST, "/test", Value::Null).await;
    let got = receiver.gets(2).await;
    let signs = |secret: &Value| got[1].is_signed_by(secret);
    assert!(signs(old) && signs(new) && signs(&newer["secret"]));

    let rotation = json!({ "overlap_hours": 0 });
    let newest = bed.at(&endpoint, Method::POST, "/rotate", rotation).await;
    bed.at(&endpoint, Method::POST, "/test", Value::Null).await;
    let got = receiver.gets(3).await;
    let signs = |secret: &Value| got[2].is_signed_by(secret);
    assert!(signs(&newest["secret"]));
    assert!(!signs(old) && !signs(new) && !signs(&newer["secret"]));
}

#[sqlx::test]
async fn a_delivery_can_be_sent_again_and_missed_ones_recovered(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    bed.gateway.accept(&client_create("A")).await;
    bed.gateway.end_next(done()).await;
    crate::events::numbered(&pool, 1).await;
    let receiver = Receiver::start().await;
    let endpoint = bed.endpoint(&receiver, json!({})).await;
    // What happened before the endpoint was there.
    bed.at(
        &endpoint,
        Method::POST,
        "/recover",
        json!({ "since": "2026-01-01T00:00:00Z" }),
    )
    .await;
    let first = receiver.gets(1).await.remove(0);
    let delivered = bed
        .newest("it is recorded", |newest| newest["state"] == "delivered")
        .await;
    // What was delivered is not recovered.
    bed.at(
        &endpoint,
        Method::POST,
        "/recover",
        json!({ "since": "2026-01-01T00:00:00Z" }),
    )
    .await;
    bed.at(&endpoint, Method::POST, "/test", Value::Null).await;
    assert!(receiver.gets(2).await[1].says().starts_with("webhook.test"));

    let path = format!("/deliveries/{}/resend", delivered["id"]);
    assert_eq!(bed.ask(Method::POST, &path, &Value::Null).await.status, 202);
    let again = receiver.gets(3).await.remove(2);
    assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
    assert_eq!(again.body, first.body);

    // What was given up is due again.
    eventually("both are recorded", async || {
        bed.log("?state=delivered").await.len() == 2
    })
    .await;
    sqlx::query!(
        "UPDATE webhook_delivery SET delivered_at = NULL, due_at = NULL WHERE number IS NOT NULL"
    )
    .execute(&pool)
    .await
    .unwrap();
    assert_eq!(bed.log("?state=failed").await.len(), 1);
    bed.at(
        &endpoint,
        Method::POST,
        "/recover",
        json!({ "since": "2026-01-01T00:00:00Z" }),
    )
    .await;
    assert_eq!(receiver.gets(4).await[3].body, first.body);
}
