//! Sequences of requests with which a reviewer made an earlier version pay, report or wait wrongly.

use std::time::Duration;

use fineract_gateway::{
    domain::{OperationType, Outcome},
    store::Completion,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::{
    Answer, TestGateway, claim_limits,
    database::eventually_waits_for_lock,
    fixtures::{
        FUTURE, PAST, client_create, done, envelope, expiring, loan_approve, loan_create,
        loan_disburse, principal, refused,
    },
    operators::{Operator, REASON, park, uuid},
};

fn create() -> Value {
    loan_create("L", "C")
}

fn update() -> Value {
    envelope("LOAN_UPDATE", principal("L", 5))
}

fn payout() -> Value {
    loan_disburse("L")
}

async fn state(pool: &PgPool, id: &str) -> String {
    sqlx::query_scalar("SELECT state FROM operation WHERE id = $1")
        .bind(uuid(id))
        .fetch_one(pool)
        .await
        .unwrap()
}

/// Two failures in one lane have dependents at the same time. The dependents of the second failure must fail too. So
/// the disbursement behind the expired update is not sent.
#[sqlx::test]
async fn what_stands_behind_the_second_of_two_that_expire_together_fails_with_it(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.accept(&client_create("C")).await;
    gateway.accept(&expiring(create(), PAST)).await;
    gateway.accept(&create()).await;
    let update = gateway.accept(&expiring(update(), PAST)).await;
    let payout = gateway.accept(&payout()).await;
    while gateway.store.end_expired().await.unwrap() {}
    while gateway.store.fail_some_dependents().await.unwrap() {}
    assert_eq!(state(&pool, &update).await, "failed");
    gateway.end_next(done()).await;
    gateway.end_next(done()).await;
    assert_eq!(state(&pool, &payout).await, "failed");
}

/// As above, but the second failure is a cancel. At that time, dependents of an earlier failure have not ended yet.
#[sqlx::test]
async fn what_stands_behind_one_that_is_cancelled_in_a_falling_lane_fails_with_it(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.accept(&client_create("C")).await;
    gateway.accept(&create()).await;
    gateway.accept(&create()).await;
    let update = gateway.accept(&update()).await;
    let payout = gateway.accept(&payout()).await;
    gateway.end_next(done()).await;
    gateway.end_next(refused()).await;
    let cancelled = Operator::of(gateway.address).act(&update, "cancel").await;
    assert_eq!(cancelled.status, StatusCode::OK, "{}", cancelled.text);
    while gateway.store.fail_some_dependents().await.unwrap() {}
    gateway.end_next(done()).await;
    assert_eq!(state(&pool, &payout).await, "failed");
}

/// No caller has read the failure of an update behind a create. Then an operation before the create fails too. The
/// update's failure must still count as unread: a disbursement that is accepted within a minute depends on it.
#[sqlx::test]
async fn an_unread_failure_behind_a_create_stays_unread_when_one_before_it_fails(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.accept(&client_create("C")).await;
    gateway.accept(&create()).await;
    gateway.accept(&create()).await;
    gateway.accept(&expiring(update(), PAST)).await;
    while gateway.store.end_expired().await.unwrap() {}
    while gateway.store.fail_some_dependents().await.unwrap() {}
    gateway.end_next(done()).await;
    gateway.end_next(refused()).await;
    while gateway.store.fail_some_dependents().await.unwrap() {}
    let payout = gateway.accept(&payout()).await;
    while gateway.store.fail_some_dependents().await.unwrap() {}
    gateway.end_next(done()).await;
    assert_eq!(state(&pool, &payout).await, "failed");
}

/// The sweep has chosen an expired operation, and waits for the lock of its lane. Meanwhile an operator sets its
/// `expires_at` to 2099. So the sweep must check `expires_at` again when it has the lock.
#[sqlx::test]
async fn a_sweep_looks_at_the_deadline_once_more_when_it_has_the_row(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let id = gateway.accept(&expiring(client_create("C"), PAST)).await;
    park(&pool, &id).await;
    let mut other = pool.begin().await.unwrap();
    sqlx::query!("SELECT FROM lane WHERE key = 'client:c' FOR NO KEY UPDATE")
        .fetch_one(&mut *other)
        .await
        .unwrap();
    let store = gateway.store.clone();
    let sweeping = async { store.end_expired().await.unwrap() };
    let retrying = async {
        eventually_waits_for_lock(&pool).await;
        let retry = operator
            .request(Method::POST, &format!("/{}/retry", uuid(&id)))
            .json(&json!({ "expires_at": FUTURE, "reason": REASON }));
        let retry = Answer::of(retry).await;
        assert_eq!(retry.status, StatusCode::ACCEPTED, "{}", retry.text);
        other.commit().await.unwrap();
    };
    tokio::join!(sweeping, retrying);
    assert_eq!(state(&pool, &id).await, "ready");
}

/// The time on hold does not count as time of retrying, so a release moves `reason_since`. But `reason_since` must not
/// be in the future. Otherwise the gateway would not park the operation, and would try it with the shortest backoff,
/// for the same time again.
#[sqlx::test]
async fn a_hold_does_not_move_trouble_into_the_future(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let id = gateway.accept(&client_create("C")).await;
    sqlx::raw_sql("UPDATE operation SET reason_code = 'locked_in_fineract', reason_since = now()")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(operator.act(&id, "hold").await.status, StatusCode::OK);
    // Two days pass.
    sqlx::raw_sql("UPDATE operation SET reason_since = reason_since - interval '2 days', due_at = due_at - interval '2 days'")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(operator.act(&id, "release").await.status, StatusCode::OK);
    let limits = claim_limits(1, OperationType::ALL);
    assert_eq!(gateway.store.claim(&limits).await.unwrap().len(), 1);
    let is_past: bool = sqlx::query_scalar("SELECT reason_since <= now() FROM operation")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert!(is_past, "`reason_since` is in the future");
}

/// Fineract has kept an object locked for days. The operation must be parked, even if it was sometimes not tried
/// because the retry budget was used up.
#[sqlx::test]
async fn being_passed_over_for_want_of_budget_does_not_begin_trouble_anew(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.accept(&client_create("C")).await;
    let limits = claim_limits(1, OperationType::ALL);
    for (reason_code, counts) in [
        ("locked_in_fineract", Some(true)),
        ("too_many_retries", None),
        ("locked_in_fineract", Some(true)),
    ] {
        let claimed = gateway.store.claim(&limits).await.unwrap().pop().unwrap();
        let completion = Completion::of(
            &claimed,
            None,
            Outcome::Retry {
                delay: Duration::ZERO,
                new_key: false,
                reason_code,
                counts,
            },
        );
        assert!(gateway.store.complete(completion).await.unwrap());
        if counts == Some(true) {
            sqlx::raw_sql("UPDATE operation SET reason_since = reason_since - interval '1 day'")
                .execute(&pool)
                .await
                .unwrap();
        }
    }
    let claimed = gateway.store.claim(&limits).await.unwrap().pop().unwrap();
    assert!(
        claimed.parkable_for() >= Duration::from_hours(47),
        "{:?}",
        claimed.parkable_for()
    );
}

/// A failure of a day ago no longer counts. The person who cancels knows about the cancel, so an operation that is
/// accepted later does not fail because of it.
#[sqlx::test]
async fn what_follows_a_cancel_does_not_fall_because_of_a_forgotten_failure(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    gateway.accept(&update()).await;
    gateway.end_next(refused()).await;
    sqlx::raw_sql("UPDATE lane SET failed_at = failed_at - interval '1 day'")
        .execute(&pool)
        .await
        .unwrap();
    let mistaken = gateway.accept(&update()).await;
    assert_eq!(
        operator.act(&mistaken, "cancel").await.status,
        StatusCode::OK
    );
    let next = gateway.accept(&loan_approve("L")).await;
    while gateway.store.fail_some_dependents().await.unwrap() {}
    assert_eq!(state(&pool, &next).await, "ready");
}

/// Rows of an unknown type could fill every batch of the sweep. An operation of a known type must expire nevertheless.
#[sqlx::test]
async fn expired_rows_of_an_unknown_type_do_not_hide_the_others(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    sqlx::raw_sql(
        "INSERT INTO operation (id, type, state, lane, position, blocked_by, expires_at)
         SELECT gen_random_uuid(), 'LOAN_FUTURE', 'waiting', 'loan:z-' || n, 2, 1, '2019-01-01'
           FROM generate_series(1, 500) n",
    )
    .execute(&pool)
    .await
    .unwrap();
    let id = gateway.accept(&expiring(client_create("C"), PAST)).await;
    while gateway.store.end_expired().await.unwrap() {}
    assert_eq!(state(&pool, &id).await, "failed");
}

/// An action without a reason does nothing, on whichever operation and by whichever action.
#[sqlx::test]
async fn an_action_without_a_reason_is_refused(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let id = gateway.accept(&client_create("C")).await;
    park(&pool, &id).await;
    // The first look is recorded in the audit, which the second shows.
    operator.inspect(&id).await;
    let before = operator.inspect(&id).await;
    for action in ["retry", "cancel", "hold", "release", "resolve"] {
        for reason in [json!(null), json!(""), json!(" "), json!("x".repeat(1001))] {
            let mut body = json!({});
            if action == "resolve" {
                body["outcome"] = json!("failed");
            }
            if !reason.is_null() {
                body["reason"] = reason;
            }
            let request = operator.request(Method::POST, &format!("/{}/{action}", uuid(&id)));
            let answer = Answer::of(request.json(&body)).await;
            assert_eq!(answer.problem(), (422, "invalid_request".to_owned()));
            assert_eq!(answer.json()["errors"][0]["pointer"], "/reason", "{action}");
        }
    }
    assert_eq!(operator.inspect(&id).await, before);
}
