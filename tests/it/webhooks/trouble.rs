//! Receivers that fail.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{
    Bed, make_due,
    receiver::{Got, Receiver, Reply},
};
use crate::support::{
    eventually::eventually,
    fixtures::{client_create, done},
};

#[sqlx::test]
async fn each_failed_try_has_a_line_in_the_log_and_is_tried_again(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let receiver = Receiver::start().await;
    let endpoint = bed.endpoint(&receiver, json!({})).await;
    bed.at(&endpoint, Method::POST, "/test", Value::Null).await;
    bed.newest("the first one arrives", |newest| {
        newest["state"] == "delivered"
    })
    .await;
    for (reply, status, error, longest_wait) in [
        (
            Reply::Status(500),
            json!(500),
            "the receiver answered 500 Internal Server Error",
            6,
        ),
        (
            Reply::Status(404),
            json!(404),
            "the receiver answered 404 Not Found",
            6,
        ),
        (
            Reply::With(302, "location", "http://169.254.169.254/"),
            json!(302),
            "the receiver answered 302 Found; redirects are not followed",
            6,
        ),
        (
            Reply::With(503, "retry-after", "100"),
            json!(503),
            "the receiver answered 503 Service Unavailable",
            100,
        ),
        (
            Reply::Held,
            Value::Null,
            "the receiver did not finish its answer in time",
            6,
        ),
        (
            Reply::Drips,
            json!(200),
            "the receiver did not finish its answer in time",
            6,
        ),
    ] {
        receiver.replies([reply]);
        bed.at(&endpoint, Method::POST, "/test", Value::Null).await;
        let failed = bed
            .newest("the try is recorded", |newest| {
                newest["tries"] == 1 && newest["error"] != Value::Null
            })
            .await;
        assert_eq!(failed["error"], error, "{reply:?}");
        assert_eq!(failed["status"], status, "{reply:?}");
        assert_eq!(failed["state"], "waiting");
        let waits = sqlx::query_scalar!(
            r#"SELECT EXTRACT(EPOCH FROM due_at - tried_at)::bigint AS "waits!" FROM webhook_delivery ORDER BY id DESC LIMIT 1"#
        );
        let waits = waits.fetch_one(&pool).await.unwrap();
        assert!(
            (longest_wait - 2..=longest_wait).contains(&waits),
            "{reply:?}: {waits}"
        );
        make_due(&pool).await;
        let again = bed
            .newest("it is tried again", |newest| newest["state"] == "delivered")
            .await;
        assert_eq!(
            (&again["tries"], &again["error"]),
            (&json!(2), &Value::Null)
        );
    }
}

#[sqlx::test]
async fn only_the_beginning_of_an_answer_is_kept(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let receiver = Receiver::start().await;
    let endpoint = bed.endpoint(&receiver, json!({})).await;
    receiver.replies([Reply::Big]);
    bed.at(&endpoint, Method::POST, "/test", Value::Null).await;
    let newest = bed
        .newest("it is delivered", |newest| newest["state"] == "delivered")
        .await;
    assert_eq!(newest["response"].as_str().unwrap().len(), 256);
}

#[sqlx::test]
async fn a_delivery_is_given_up_after_its_last_try(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let receiver = Receiver::start().await;
    let endpoint = bed.endpoint(&receiver, json!({})).await;
    receiver.replies([Reply::Status(500), Reply::Status(500)]);
    let test = bed.at(&endpoint, Method::POST, "/test", Value::Null).await;
    bed.newest("the first try is recorded", |newest| newest["tries"] == 1)
        .await;
    sqlx::query!("UPDATE webhook_delivery SET tries = 9, due_at = now()")
        .execute(&pool)
        .await
        .unwrap();
    let last = bed
        .newest("it is given up", |newest| newest["state"] == "failed")
        .await;
    assert_eq!(
        (&last["id"], &last["tries"]),
        (&test["delivery_id"], &json!(10))
    );
    assert_eq!(receiver.got().len(), 2);
}

#[sqlx::test]
async fn a_receiver_that_wants_no_more_is_disabled_and_keeps_its_backlog(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let (gone, other) = (Receiver::start().await, Receiver::start().await);
    let endpoint = bed
        .endpoint(&gone, json!({ "description": "the old one" }))
        .await;
    bed.endpoint(&other, json!({})).await;
    gone.replies([Reply::Status(410)]);
    let first = bed.gateway.accept(&client_create("A")).await;
    bed.gateway.end_next(done()).await;
    let told = other.gets(2).await;
    let disabled = told
        .iter()
        .find(|got| got.says().starts_with("webhook.disabled"))
        .expect("told")
        .json();
    let because = "the receiver answered 410: it wants no more";
    assert_eq!(
        disabled["data"],
        json!({ "endpoint_id": endpoint["id"], "description": "the old one", "because": because })
    );
    let shown = bed.at(&endpoint, Method::GET, "", Value::Null).await;
    assert_eq!(
        (&shown["enabled"], &shown["disabled_because"]),
        (&json!(false), &json!(because))
    );

    let second = bed.gateway.accept(&client_create("B")).await;
    bed.gateway.end_next(done()).await;
    other.gets(3).await;
    assert_eq!(gone.got().len(), 1);
    let enabled = bed
        .at(&endpoint, Method::PATCH, "", json!({ "enabled": true }))
        .await;
    assert_eq!(
        (&enabled["disabled_because"], &enabled["failing_since"]),
        (&Value::Null, &Value::Null)
    );
    make_due(&pool).await;
    let mut says: Vec<_> = gone.gets(3).await.iter().skip(1).map(Got::says).collect();
    says.sort();
    let mut expected = [first, second].map(|id| format!("operation.succeeded {id}"));
    expected.sort();
    assert_eq!(says, expected);
}

#[sqlx::test]
async fn an_endpoint_at_which_every_try_fails_is_disabled_after_five_days(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let receiver = Receiver::start().await;
    let endpoint = bed.endpoint(&receiver, json!({})).await;
    receiver.replies([
        Reply::Status(500),
        Reply::Status(200),
        Reply::Status(500),
        Reply::Status(500),
    ]);
    bed.at(&endpoint, Method::POST, "/test", Value::Null).await;
    bed.newest("a try failed", |newest| newest["tries"] == 1)
        .await;
    let hours_ago = async |hours: i32| {
        sqlx::query!(
            "UPDATE webhook_endpoint SET failing_since = now() - make_interval(hours => $1)",
            hours
        )
        .execute(&pool)
        .await
        .unwrap();
    };
    // A success in time ends the trouble.
    hours_ago(5 * 24 + 1).await;
    make_due(&pool).await;
    bed.newest("it is delivered", |newest| newest["state"] == "delivered")
        .await;
    let shown = bed.at(&endpoint, Method::GET, "", Value::Null).await;
    assert_eq!(
        (&shown["enabled"], &shown["failing_since"]),
        (&json!(true), &Value::Null)
    );

    bed.at(&endpoint, Method::POST, "/test", Value::Null).await;
    bed.newest("a try failed", |newest| newest["tries"] == 1)
        .await;
    hours_ago(5 * 24 - 1).await;
    let shown = bed.at(&endpoint, Method::GET, "", Value::Null).await;
    assert_eq!(shown["enabled"], true);
    hours_ago(5 * 24 + 1).await;
    make_due(&pool).await;
    eventually("it is disabled", async || {
        let shown = bed.at(&endpoint, Method::GET, "", Value::Null).await;
        shown["enabled"] == false
            && shown["disabled_because"] == "every try has failed for five days"
    })
    .await;
}
