//! Which operations fail as dependents of a failure, and which claim may end an operation.

use std::time::Duration;

use fineract_gateway::{
    domain::{OperationType, Outcome},
    store::{Claimed, Completion},
};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{
    bulk::Bulk,
    support::{
        Answer, OPS_TOKEN, TestGateway, claim_limits,
        fixtures::{
            client_create, client_update, done, loan_approve, loan_create, loan_disburse, refused,
        },
        operators::REASON,
    },
};

async fn states(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar!("SELECT state FROM operation ORDER BY position")
        .fetch_all(pool)
        .await
        .unwrap()
}

/// A failure no longer counted when an operation was accepted. Then a clock steps back: the failure counts again for
/// the next operation, which fails. The first operation must not fail, because it may have been sent by now.
#[sqlx::test]
async fn what_runs_already_does_not_fall_when_a_clock_steps_back(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.accept(&client_create("C")).await;
    gateway.end_next(refused()).await;
    sqlx::query!("UPDATE lane SET failed_at = failed_at - interval '2 minutes'")
        .execute(&pool)
        .await
        .unwrap();
    gateway.accept(&update()).await;
    let limits = claim_limits(1, OperationType::ALL);
    let claimed = gateway.store.claim(&limits).await.unwrap().pop().unwrap();

    sqlx::query!("UPDATE lane SET failed_at = now()")
        .execute(&pool)
        .await
        .unwrap();
    gateway.accept(&update()).await;
    while gateway.store.fail_some_dependents().await.unwrap() {}
    assert_eq!(states(&pool).await, ["failed", "running", "failed"]);
    let completion = Completion::of(&claimed, None, Outcome::End(done()));
    assert!(gateway.store.complete(completion).await.unwrap());
    assert_eq!(states(&pool).await, ["failed", "succeeded", "failed"]);
}

fn update() -> Value {
    client_update("C")
}

/// The states in the order of acceptance.
async fn in_order(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar!("SELECT state FROM operation ORDER BY accepted_at, id")
        .fetch_all(pool)
        .await
        .unwrap()
}

/// A caller sends a corrected create before anybody has read the failure. The corrected create must not fail because of
/// that failure. The operations behind the corrected create depend on it.
#[sqlx::test]
async fn a_corrected_create_does_not_fail_with_what_it_corrects(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.accept(&client_create("C")).await;
    gateway.end_next(refused()).await;
    gateway.accept(&update()).await;
    gateway.accept(&client_create("C")).await;
    gateway.accept(&update()).await;
    gateway.accept(&loan_create("L", "C")).await;
    while gateway.store.fail_some_dependents().await.unwrap() {}
    assert_eq!(
        in_order(&pool).await,
        ["failed", "failed", "ready", "waiting", "waiting"]
    );
    gateway.end_next(done()).await;
    gateway.end_next(done()).await;
    gateway.end_next(done()).await;
    assert_eq!(
        in_order(&pool).await,
        ["failed", "failed", "succeeded", "succeeded", "succeeded"]
    );
}

/// As above, but all operations are sent before the first one has failed.
#[sqlx::test]
async fn a_create_stands_on_its_own_also_when_it_waited(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    for body in [
        client_create("C"),
        update(),
        loan_create("L-1", "C"),
        client_create("C"),
        update(),
        loan_create("L-2", "C"),
        loan_create("L-2", "C"),
        loan_approve("L-2"),
    ] {
        gateway.accept(&body).await;
    }
    gateway.end_next(refused()).await;
    while gateway.store.fail_some_dependents().await.unwrap() {}
    assert_eq!(
        in_order(&pool).await,
        [
            "failed", "failed", "failed", "ready", "waiting", "waiting", "waiting", "waiting"
        ]
    );
    gateway.end_next(refused()).await;
    while gateway.store.fail_some_dependents().await.unwrap() {}
    assert_eq!(in_order(&pool).await, ["failed"; 8]);
}

/// A `LOAN_CREATE` reads the lane of its client. There it depends on the client.
#[sqlx::test]
async fn a_loan_fails_with_its_client_and_not_with_an_earlier_application(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.accept(&loan_create("L", "C")).await;
    gateway.end_next(refused()).await;
    gateway.accept(&loan_create("L", "C")).await;
    gateway.end_next(done()).await;
    gateway.accept(&client_create("C")).await;
    gateway.end_next(refused()).await;
    gateway.accept(&loan_create("L", "C")).await;
    while gateway.store.fail_some_dependents().await.unwrap() {}
    assert_eq!(
        in_order(&pool).await,
        ["failed", "succeeded", "failed", "failed"]
    );
}

/// Every route that shows a failure counts as a reading of the failure.
#[sqlx::test]
async fn whatever_shows_a_failure_counts_as_reading_it(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let bulk = Bulk::new(gateway.address);
    let disburse = loan_disburse("L");
    let is_read = async |lane: &str| {
        sqlx::query_scalar!("SELECT failure_read FROM lane WHERE key = $1", lane)
            .fetch_one(&pool)
            .await
            .unwrap()
    };

    // The summary of a batch, on a page that shows none of its rows.
    bulk.schedule("r", vec![client_create("C-1")]).await;
    gateway.end_next(refused()).await;
    assert!(!is_read("client:c-1").await);
    bulk.status(&json!({ "reference_id": "r", "filters": {"status": ["READY"]} }))
        .await;
    assert!(is_read("client:c-1").await);

    // A transaction, read by the transactions API.
    let id = gateway.accept(&disburse).await;
    gateway.end_next(refused()).await;
    assert!(!is_read("loan:l").await);
    gateway.transaction_status(&id).await;
    assert!(is_read("loan:l").await);

    // An operator inspects an operation, and an operator cancels an operation.
    let id = gateway.accept(&client_create("C-2")).await;
    gateway.end_next(refused()).await;
    assert!(!is_read("client:c-2").await);
    let request = gateway.request(reqwest::Method::GET, &format!("/fineract/operations/{id}"));
    Answer::of(request.header("X-Internal-Token", OPS_TOKEN)).await;
    assert!(is_read("client:c-2").await);
    let id = gateway.accept(&client_create("C-3")).await;
    let request = gateway.request(
        reqwest::Method::POST,
        &format!("/fineract/operations/{id}/cancel"),
    );
    let request = request.json(&json!({ "reason": REASON }));
    let cancelled = Answer::of(request.header("X-Internal-Token", OPS_TOKEN)).await;
    assert_eq!(cancelled.status, 200);
    assert!(is_read("client:c-3").await);
}

#[sqlx::test]
async fn an_attempt_that_lost_its_claim_ends_nothing_beside_the_one_that_has_it(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.accept(&client_create("C")).await;
    let limits = claim_limits(1, OperationType::ALL);
    let lost = gateway.store.claim(&limits).await.unwrap().pop().unwrap();
    sqlx::query!("UPDATE operation SET due_at = now()")
        .execute(&pool)
        .await
        .unwrap();
    let holding = gateway.store.claim(&limits).await.unwrap().pop().unwrap();
    assert_eq!((lost.attempt, holding.attempt), (1, 2));
    let complete = |claimed: &Claimed, outcome| {
        let completion = Completion::of(claimed, None, outcome);
        gateway.store.complete(completion)
    };
    let end = Outcome::End(done());
    let again = Outcome::Retry {
        delay: Duration::ZERO,
        new_key: false,
        reason_code: "test",
        counts: Some(true),
    };
    // Both complete at the same time, so both are in one group commit.
    let (of_lost, of_holding) = tokio::join!(complete(&lost, end), complete(&holding, again));
    assert!(!of_lost.unwrap());
    assert!(of_holding.unwrap());
    assert_eq!(states(&pool).await, ["ready"]);
    let left = "SELECT (SELECT count(*) FROM lane_entry) - (SELECT count(*) FROM result)";
    let left: i64 = sqlx::query_scalar(left).fetch_one(&pool).await.unwrap();
    assert_eq!(
        left, 1,
        "the operation keeps its lane entry, and has no result"
    );
}
