//! What happens to an operation while a repair acts on it, and rows that cannot be acted on.

use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::{
    AssertSqlSafe, PgPool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::bed::{Bed, progress, retry_of_failed};
use crate::support::{
    database::eventually_waits_for_lock,
    eventually::eventually,
    fixtures::{client_create, refused},
    operators::{park, uuid},
};

/// Runs statements in a transaction that stays open. They may do what a gateway never does, such as change the state of
/// an ended operation.
async fn begin(pool: &PgPool, statements: &str) -> Transaction<'static, Postgres> {
    let mut transaction = pool.begin().await.expect("a connection");
    let statements = format!("SET LOCAL session_replication_role = replica; {statements}");
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(&mut *transaction)
        .await
        .expect("the statements are right");
    transaction
}

/// Carries out a repair while a transaction holds locks. The transaction commits when the repair waits for it.
async fn run_behind(
    bed: &Bed,
    pool: &PgPool,
    id: &str,
    other: Transaction<'static, Postgres>,
) -> Value {
    let commit = async {
        eventually_waits_for_lock(pool).await;
        other.commit().await.expect("it commits");
    };
    tokio::join!(bed.run(id), commit).0
}

#[sqlx::test]
async fn a_retry_that_waited_behind_a_newer_operation_is_not_accepted(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let (first, second) = (bed.failed("C-1").await, bed.failed("C-1").await);
    let id = bed.start(retry_of_failed(), 2).await;
    let succeed = format!(
        "SELECT FROM lane WHERE key = 'client:c-1' FOR UPDATE;
         UPDATE operation SET state = 'succeeded' WHERE id = '{}'",
        uuid(&second)
    );
    let other = begin(&pool, &succeed).await;
    let ended = run_behind(&bed, &pool, &id, other).await;
    assert_eq!(progress(&ended), json!(["done", 0, 2, 0, 0]));
    assert_eq!(
        bed.operator.inspect(&first).await["retried_by"],
        Value::Null
    );
}

#[sqlx::test]
async fn what_parked_again_for_another_reason_is_left(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let parked = bed.gateway.accept(&client_create("C-1")).await;
    park(&pool, &parked).await;
    let body = json!({ "action": "retry", "filter": { "state": "parked" } });
    let id = bed.start(body, 1).await;
    let again = format!(
        "UPDATE operation SET reason_code = 'being_resolved', reason_since = now() WHERE id = '{}'",
        uuid(&parked)
    );
    let other = begin(&pool, &again).await;
    let ended = run_behind(&bed, &pool, &id, other).await;
    assert_eq!(progress(&ended), json!(["done", 0, 1, 0, 0]));
    assert_eq!(bed.operator.inspect(&parked).await["state"], "parked");
}

#[sqlx::test]
async fn a_parked_operation_that_has_failed_meanwhile_is_not_accepted_again(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let parked = bed.gateway.accept(&client_create("C-1")).await;
    park(&pool, &parked).await;
    let body = json!({ "action": "retry", "filter": { "state": "parked" } });
    let id = bed.start(body, 1).await;
    let retried = bed.operator.act(&parked, "retry").await;
    assert_eq!(retried.status, StatusCode::ACCEPTED);
    bed.gateway.end_next(refused()).await;
    assert_eq!(progress(&bed.run(&id).await), json!(["done", 0, 1, 0, 0]));
    let failed = bed.operator.inspect(&parked).await;
    assert_eq!(
        (&failed["state"], &failed["retried_by"]),
        (&json!("failed"), &Value::Null)
    );
}

/// The retry by the operator stands behind the second failure, so running the second one again would overwrite it.
#[sqlx::test]
async fn a_retry_by_somebody_else_supersedes(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let (first, second) = (bed.failed("C-1").await, bed.failed("C-1").await);
    let id = bed.start(retry_of_failed(), 2).await;
    let retried = bed.operator.act(&first, "retry").await;
    assert_eq!(retried.status, StatusCode::ACCEPTED);
    assert_eq!(progress(&bed.run(&id).await), json!(["done", 0, 2, 0, 0]));
    assert_eq!(
        bed.operator.inspect(&second).await["retried_by"],
        Value::Null
    );
}

#[sqlx::test]
async fn a_repair_that_is_stopped_ends_after_the_row_in_progress(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    bed.failed("C-1").await;
    let second = bed.failed("C-2").await;
    let id = bed.start(retry_of_failed(), 2).await;
    let lock = "SELECT FROM lane WHERE key = 'client:c-1' FOR UPDATE";
    let other = begin(&pool, lock).await;
    let stop = async {
        eventually_waits_for_lock(&pool).await;
        let path = format!("/repairs/{id}/stop");
        let stopped = bed
            .operator
            .post(&path, &json!({ "reason": "a mistake" }))
            .await;
        assert_eq!(stopped.status, StatusCode::OK, "{}", stopped.text);
        other.rollback().await.expect("it is free");
    };
    let (ended, ()) = tokio::join!(bed.run(&id), stop);
    assert_eq!(progress(&ended), json!(["stopped", 1, 0, 0, 1]));
    assert_eq!(
        bed.operator.inspect(&second).await["retried_by"],
        Value::Null
    );
}

#[sqlx::test]
async fn an_operation_that_this_gateway_does_not_know_is_refused(pool: PgPool) {
    let bed = Bed::new(&pool).await;
    let first = bed.failed("C-1").await;
    bed.failed("C-2").await;
    let id = bed.start(retry_of_failed(), 2).await;
    let unknown = format!(
        "UPDATE operation SET type = 'CLIENT_FREEZE' WHERE id = '{}'",
        uuid(&first)
    );
    begin(&pool, &unknown).await.commit().await.unwrap();
    let ended = bed.run(&id).await;
    assert_eq!(progress(&ended), json!(["done", 1, 0, 1, 0]));
    assert_eq!(ended["not_done"][0]["code"], "unknown_to_gateway");
}

#[sqlx::test]
async fn a_row_that_somebody_keeps_locked_delays_only_its_lane(pool: PgPool) {
    let options = PgConnectOptions::clone(&pool.connect_options());
    let options = options.options([("lock_timeout", "200ms")]);
    let bed = Bed::new(&PgPoolOptions::new().connect_lazy_with(options)).await;
    let locked = [bed.failed("C-1").await, bed.failed("C-1").await];
    bed.failed("C-2").await;
    let id = bed.start(retry_of_failed(), 3).await;
    let lock = format!(
        "SELECT FROM operation WHERE id = '{}' FOR UPDATE",
        uuid(&locked[0])
    );
    let other = begin(&pool, &lock).await;
    let free = async {
        eventually("the other lane is done", async || {
            bed.repair(&id).await["done"] == 1
        })
        .await;
        other.rollback().await.expect("it is free");
    };
    let (ended, ()) = tokio::join!(bed.run(&id), free);
    assert_eq!(progress(&ended), json!(["done", 3, 0, 0, 0]));
    let mut retries = Vec::new();
    for failed in locked {
        let retry = bed.operator.inspect(&failed).await["retried_by"].take();
        let retry = bed.operator.inspect(retry.as_str().expect("a retry")).await;
        retries.push(retry["lanes"][0]["position"].as_i64().expect("a position"));
    }
    assert!(retries.is_sorted(), "{retries:?}");
}
