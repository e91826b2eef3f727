//! Every path that ends, parks or resumes operations writes exactly the events that follow from it.

use fineract_gateway::{
    domain::{OperationType, Outcome},
    store::Completion,
};
use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;

use super::numbered;
use crate::{
    bulk::Bulk,
    support::{
        Answer, TestGateway, claim_limits,
        fixtures::{
            FUTURE, PAST, client_create, client_update, done, expiring, loan_approve, refused,
        },
        operators::{Operator, leave_attempt, park, uuid},
    },
};

/// Completes the next operation with this outcome, as a worker would.
async fn complete_next(gateway: &TestGateway, outcome: Outcome) {
    let limits = claim_limits(1, OperationType::ALL);
    let claimed = gateway.store.claim(&limits).await.unwrap().pop().unwrap();
    let completion = Completion::of(&claimed, None, outcome);
    assert!(gateway.store.complete(completion).await.unwrap());
}

const PARK: Outcome = Outcome::Park {
    reason_code: "evidence_cannot_tell",
};

/// The events of these operations, in order: the type without its prefix, and the index of the operation.
async fn events(pool: &PgPool, ids: &[&String], count: usize) -> Vec<(String, usize)> {
    let events = numbered(pool, count).await.into_iter();
    events
        .map(|event| {
            let of = ids
                .iter()
                .position(|id| Some(uuid(id)) == event.operation)
                .unwrap();
            let name = event.event_type.strip_prefix("operation.").unwrap();
            (name.to_owned(), of)
        })
        .collect()
}

fn named(expected: &[(&str, usize)]) -> Vec<(String, usize)> {
    let expected = expected.iter();
    expected
        .map(|(name, of)| ((*name).to_owned(), *of))
        .collect()
}

#[sqlx::test]
async fn a_completion_that_ends_or_parks_writes_one_and_a_retry_none(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let first = gateway.accept(&client_create("A")).await;
    let again = Outcome::Retry {
        delay: std::time::Duration::ZERO,
        new_key: false,
        reason_code: "unreachable",
        counts: None,
    };
    complete_next(&gateway, again).await;
    complete_next(&gateway, Outcome::End(done())).await;
    let second = gateway.accept(&client_update("B")).await;
    complete_next(&gateway, PARK).await;
    let third = gateway.accept(&client_update("C")).await;
    complete_next(&gateway, Outcome::End(refused())).await;
    assert_eq!(
        events(&pool, &[&first, &second, &third], 3).await,
        named(&[("succeeded", 0), ("parked", 1), ("failed", 2)])
    );
}

#[sqlx::test]
async fn operators_write_those_of_what_they_do(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let retried = gateway.accept(&client_update("A")).await;
    let resolved = gateway.accept(&client_update("B")).await;
    let cancelled = gateway.accept(&client_update("C")).await;
    let held = gateway.accept(&client_update("D")).await;
    for id in [&retried, &resolved, &cancelled] {
        park(&pool, id).await;
    }
    // What parks an operation again for another reason is no event.
    sqlx::query!("UPDATE operation SET reason_code = 'other' WHERE state = 'parked'")
        .execute(&pool)
        .await
        .unwrap();
    for (id, action) in [
        (&retried, "retry"),
        (&cancelled, "cancel"),
        (&held, "hold"),
        (&held, "release"),
    ] {
        let answer = operator.act(id, action).await;
        assert!(answer.status.is_success(), "{action}: {}", answer.text);
    }
    let answer = operator.resolve(&resolved, "failed").await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(
        events(&pool, &[&retried, &resolved, &cancelled, &held], 6).await,
        named(&[
            ("parked", 0),
            ("parked", 1),
            ("parked", 2),
            ("resumed", 0),
            ("failed", 2),
            ("resumed", 1)
        ])
    );
}

#[sqlx::test]
async fn operators_write_those_of_other_books(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let sent = gateway.accept(&client_update("A")).await;
    let unsent = gateway.accept(&client_update("B")).await;
    leave_attempt(&pool, &sent).await;
    let answer = operator
        .post(
            "/books/epochs",
            &json!({ "epoch": 1, "reason": "restored" }),
        )
        .await;
    assert!(answer.status.is_success(), "{}", answer.text);
    assert_eq!(
        events(&pool, &[&sent, &unsent], 1).await,
        named(&[("parked", 0)])
    );
}

#[sqlx::test]
async fn dependents_and_expired_ones_write_theirs_in_the_order_of_their_lane(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let create = gateway.accept(&client_create("A")).await;
    let mut ids = vec![create];
    for _ in 0..5 {
        ids.push(gateway.accept(&client_update("A")).await);
    }
    complete_next(&gateway, Outcome::End(refused())).await;
    while gateway.store.fail_some_dependents().await.unwrap() {}
    let expired = expiring(loan_approve("L"), PAST);
    ids.push(gateway.accept(&expired).await);
    ids.push(gateway.accept(&expiring(loan_approve("M"), FUTURE)).await);
    while gateway.store.end_expired().await.unwrap() {}
    let ids: Vec<_> = ids.iter().collect();
    let expected: Vec<_> = (0..7).map(|of| ("failed", of)).collect();
    assert_eq!(events(&pool, &ids, 7).await, named(&expected));
}

#[sqlx::test]
async fn a_cancelled_batch_writes_those_of_its_rows_and_then_its_own(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let rows = vec![client_update("A"), client_update("B"), client_update("B")];
    Bulk::new(gateway.address).schedule("r", rows).await;
    let cancel = gateway.request(Method::POST, "/bulk/cancel");
    let cancel = super::feed::as_lender(cancel).json(&json!({ "reference_id": "r" }));
    let answer = Answer::of(cancel).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let events = numbered(&pool, 4).await;
    let types: Vec<_> = events
        .iter()
        .map(|event| event.event_type.as_str())
        .collect();
    assert_eq!(
        types,
        [
            "operation.failed",
            "operation.failed",
            "operation.failed",
            "batch.failed"
        ]
    );
}
