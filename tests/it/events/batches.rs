//! A batch has one event whenever its last row has ended.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{end, feed::as_lender, numbered};
use crate::{
    bulk::Bulk,
    support::{
        Answer, TestGateway,
        fixtures::{client_update, done, refused},
        operators::Operator,
    },
};

/// Accepts a batch with an operation for each of these clients. Returns the tracking ids in the order of the rows.
async fn schedule(pool: &PgPool, gateway: &TestGateway, clients: &[&str]) -> Vec<String> {
    let rows = clients.iter().map(|client| client_update(client)).collect();
    Bulk::new(gateway.address).schedule("r", rows).await;
    sqlx::query_scalar!(
        r#"SELECT o.type || '|' || o.id AS "id!" FROM batch_row r JOIN operation o ON o.id = r.operation_id
            ORDER BY r.number"#
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

async fn types(pool: &PgPool, count: usize) -> Vec<String> {
    let events = numbered(pool, count).await.into_iter();
    events.map(|event| event.event_type).collect()
}

/// Neither of the two transactions sees the end that the other one writes.
#[sqlx::test]
async fn two_last_rows_that_end_at_once_end_the_batch_once(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let ids = schedule(&pool, &gateway, &["A", "B", "C"]).await;
    end(&mut pool.acquire().await.unwrap(), &ids[1], "succeeded").await;
    numbered(&pool, 1).await;
    let mut first = pool.begin().await.unwrap();
    let mut second = pool.begin().await.unwrap();
    end(&mut first, &ids[0], "succeeded").await;
    end(&mut second, &ids[2], "succeeded").await;
    let (first, second) = tokio::join!(first.commit(), second.commit());
    first.and(second).unwrap();
    assert_eq!(
        types(&pool, 4).await,
        [
            "operation.succeeded",
            "operation.succeeded",
            "operation.succeeded",
            "batch.completed"
        ]
    );
    // A later event of something else finds nothing to add.
    gateway.accept(&client_update("D")).await;
    gateway.end_next(done()).await;
    assert_eq!(types(&pool, 5).await[4], "operation.succeeded");
}

/// The sequencer remembers where it found an open row. Rows end in other orders, too.
#[sqlx::test]
async fn rows_may_end_in_any_order(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let ids = schedule(&pool, &gateway, &["A", "B", "C", "D", "E"]).await;
    for (ended, index) in [0, 4, 1, 3, 2].into_iter().enumerate() {
        let is_last = ended == 4;
        end(&mut pool.acquire().await.unwrap(), &ids[index], "succeeded").await;
        numbered(&pool, ended + 1 + usize::from(is_last)).await;
    }
    assert_eq!(types(&pool, 6).await[5], "batch.completed");
}

#[sqlx::test]
async fn a_batch_that_is_retried_ends_again(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let ids = schedule(&pool, &gateway, &["A", "B"]).await;
    gateway.end_next(refused()).await;
    gateway.end_next(done()).await;
    assert_eq!(types(&pool, 3).await[2], "batch.failed");
    let answer = Operator::of(gateway.address).act(&ids[0], "retry").await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    gateway.end_next(done()).await;
    assert_eq!(
        types(&pool, 5).await[3..],
        ["operation.succeeded", "batch.completed"]
    );
}

#[sqlx::test]
async fn a_batch_whose_rows_were_all_refused_has_failed(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let wrong: Value = json!({ "status": "CLIENT_CREATE", "data": {} });
    let body = json!({ "reference_id": "r", "accept": "valid", "operations": [wrong] });
    let schedule = as_lender(gateway.request(Method::POST, "/bulk/schedule"));
    let answer = Answer::of(schedule.json(&body)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(types(&pool, 1).await, ["batch.failed"]);
}
