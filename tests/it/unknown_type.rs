//! Operations of a type that this gateway does not know. A newer gateway accepted them, and runs in parallel or was
//! rolled back. Such an operation affects no other operation in a list or batch.

use fineract_gateway::{
    domain::{Checked, Lane, LaneAccess, OperationId, OperationType},
    store::{Accepted, BodyDigest, CallerKey, NewOperation},
};
use reqwest::Method;
use serde_json::{json, value::RawValue};
use sqlx::PgPool;

use crate::support::{
    Answer, TestGateway, claim_limits,
    fixtures::{client_create, client_update, loan_approve, loan_create, refused},
    operators::{Operator, park, uuid},
};

/// Gives an operation a type that only a newer gateway knows. Returns the tracking id with this type.
async fn make_unknown(pool: &PgPool, tracking_id: &str) -> String {
    let id = uuid(tracking_id);
    sqlx::query!(
        "UPDATE operation SET type = 'LOAN_FREEZE' WHERE id = $1",
        id
    )
    .execute(pool)
    .await
    .expect("it has not ended");
    format!("LOAN_FREEZE|{id}")
}

async fn fail_next(gateway: &TestGateway) {
    gateway.end_next(refused()).await;
}

#[sqlx::test]
async fn one_falls_with_what_it_stands_behind_and_so_does_what_stands_behind_it(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.accept(&client_create("A")).await;
    let reader = gateway.accept(&loan_create("L", "A")).await;
    let behind_it = gateway.accept(&loan_approve("L")).await;
    gateway.accept(&client_create("B")).await;
    let in_a_later_lane = gateway.accept(&client_update("B")).await;
    let reader = make_unknown(&pool, &reader).await;
    fail_next(&gateway).await;
    fail_next(&gateway).await;
    while gateway.store.fail_some_dependents().await.unwrap() {}
    let left = "SELECT count(*) FROM operation WHERE state <> 'failed'";
    let left: i64 = sqlx::query_scalar(left).fetch_one(&pool).await.unwrap();
    assert_eq!(left, 0);
    assert_eq!(gateway.track(&in_a_later_lane).await["status"], "failed");
    let end = gateway.track(&behind_it).await;
    let expected = format!("Not sent: {reader}, on which it depends, failed");
    assert_eq!(end["error_message"], expected, "{end}");
}

#[sqlx::test]
async fn one_that_is_parked_or_ahead_is_shown_by_its_name(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let first = gateway.accept(&client_create("A")).await;
    let behind_it = gateway.accept(&client_update("A")).await;
    let second = gateway.accept(&client_create("B")).await;
    park(&pool, &first).await;
    park(&pool, &second).await;
    let first = make_unknown(&pool, &first).await;
    let listed = Answer::of(operator.request(Method::GET, "?state=parked")).await;
    assert_eq!(listed.status, 200, "{}", listed.text);
    let names = listed.json()["operations"].take();
    let names: Vec<_> = names.as_array().unwrap().iter().collect();
    let names: Vec<_> = names.iter().map(|row| &row["tracking_id"]).collect();
    assert_eq!(names, [&json!(first), &json!(second)]);
    let inspected = operator.inspect(&behind_it).await;
    assert_eq!(inspected["waits_for"][0]["tracking_id"], first);
    let (_, id) = first.split_once('|').unwrap();
    let inspected = Answer::of(operator.request(Method::GET, &format!("/{id}"))).await;
    assert_eq!(
        inspected.json()["operation_type"],
        "LOAN_FREEZE",
        "{}",
        inspected.text
    );
}

fn with_key(key: &str, client: &str) -> NewOperation {
    NewOperation {
        id: OperationId::new(),
        operation_type: OperationType::ClientUpdate,
        payload: RawValue::from_string("{}".to_owned()).unwrap(),
        checked: Checked {
            lanes: LaneAccess {
                writes: Lane::client(client),
                reads: None,
            },
            reference: Some("UTR".to_owned()),
            lender: None,
        },
        caller: "test".to_owned(),
        caller_key: Some(CallerKey {
            key: key.to_owned(),
            digest: BodyDigest {
                bytes: [0; 32],
                value: None,
            },
        }),
        retry_of: None,
        expires_at: None,
        trace_parent: None,
    }
}

#[sqlx::test]
async fn a_callers_key_that_brought_one_in_fails_alone(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.store.accept(with_key("one", "A")).await.unwrap();
    sqlx::query!("UPDATE operation SET type = 'LOAN_FREEZE'")
        .execute(&pool)
        .await
        .unwrap();
    // Both are accepted at the same time, so both are in one group commit.
    let (again, new) = tokio::join!(
        gateway.store.accept(with_key("one", "A")),
        gateway.store.accept(with_key("two", "B")),
    );
    assert!(again.is_err());
    assert_eq!(new.unwrap(), Accepted::New);
}

#[sqlx::test]
async fn a_reference_that_one_used_is_used(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.store.accept(with_key("one", "A")).await.unwrap();
    gateway.store.accept(with_key("two", "A")).await.unwrap();
    let earlier =
        "UPDATE operation SET type = 'LOAN_FREEZE', blocked_by = 1, state = 'waiting', due_at = NULL
                    WHERE position = 1 RETURNING id";
    let earlier: uuid::Uuid = sqlx::query_scalar(earlier).fetch_one(&pool).await.unwrap();
    sqlx::query!(
        "UPDATE operation SET blocked_by = 0, state = 'ready', due_at = now() WHERE position = 2",
    )
    .execute(&pool)
    .await
    .unwrap();
    let claimed = gateway
        .store
        .claim(&claim_limits(1, OperationType::ALL))
        .await;
    let claimed = claimed.unwrap().pop().unwrap();
    let used = gateway.store.same_reference(&claimed).await.unwrap();
    assert_eq!(used.unwrap().to_string(), format!("LOAN_FREEZE|{earlier}"));
}
