//! Whoever has nothing to do with the archive does not wait for it, and what cannot be archived keeps nothing else from it.

use reqwest::StatusCode;
use sqlx::PgPool;
use uuid::Uuid;

use super::{DROPS, age, aged, retain};
use crate::support::{
    Answer, TestGateway,
    database::{eventually_waits_for_lock, is_true},
    fixtures::{client_update, done, refused},
    operators::{Operator, uuid},
};

#[sqlx::test]
async fn reads_of_hot_operations_do_not_wait_for_reads_of_the_archive(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let hot = gateway.accept(&client_update("C")).await;
    let mut dropping = pool.begin().await.expect("the database is there");
    sqlx::raw_sql("LOCK TABLE archived_operation")
        .execute(&mut *dropping)
        .await
        .expect("the database is there");
    let unknown = format!("CLIENT_UPDATE|{}", Uuid::now_v7());
    let unknown = Answer::of(gateway.get(&format!("/fineract/track/{unknown}")));
    let tracked = async {
        eventually_waits_for_lock(&pool).await;
        gateway.track(&hot).await
    };
    tokio::select! {
        biased;
        answer = unknown => assert_eq!(answer.text, "an answer", "it waits for the archive"),
        tracked = tracked => assert_eq!(tracked["status"], "processing"),
    }
}

#[sqlx::test]
async fn what_cannot_be_archived_keeps_nothing_else(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let mut ids = Vec::new();
    for client in ["C", "D", "E", "F"] {
        ids.push(gateway.accept(&client_update(client)).await);
        gateway.end_next(done()).await;
    }
    age(&pool).await;
    let ids: Vec<Uuid> = ids.iter().map(|id| uuid(&aged(id))).collect();
    // A row that is there already, one that somebody keeps locked, and one of a newer gateway.
    sqlx::query!(
        "INSERT INTO past_operation (id, type, state, caller, lane, position) VALUES ($1, 'CLIENT_UPDATE', 'succeeded', '', '', 1)",
        ids[0]
    )
    .execute(&pool)
    .await
    .expect("the database is there");
    sqlx::raw_sql("ALTER TABLE attempt DROP CONSTRAINT attempt_method")
        .execute(&pool)
        .await
        .expect("the database is there");
    sqlx::query!(
        "INSERT INTO attempt (operation_id, number, key_number, method, path, answered_at, status, cached, answer)
         VALUES ($1, 1, 1, 'PATCH', 'clients/7', now(), 200, false, '{}')",
        ids[2]
    )
    .execute(&pool)
    .await
    .expect("the database is there");
    let mut somebody = pool.begin().await.expect("the database is there");
    sqlx::query!(
        "SELECT FROM payload WHERE operation_id = $1 FOR UPDATE",
        ids[1]
    )
    .execute(&mut *somebody)
    .await
    .expect("the database is there");
    let report = retain(&pool, DROPS).await;
    assert_eq!((report.archived, report.kept, report.dropped), (1, 3, 1));
    assert!(is_true(&pool, "SELECT count(*) = 3 FROM operation").await);

    somebody.rollback().await.expect("the database is there");
    let report = retain(&pool, DROPS).await;
    assert_eq!((report.archived, report.kept), (1, 2));
}

/// While a run of a failed operation is being archived, it is in neither table for anybody else.
#[sqlx::test]
async fn nothing_is_run_again_twice_while_its_run_is_being_archived(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let operator = Operator::of(gateway.address);
    let failed = gateway.accept(&client_update("C")).await;
    gateway.end_next(refused()).await;
    let again = operator.act(&failed, "retry").await;
    assert_eq!(again.status, StatusCode::ACCEPTED, "{}", again.text);
    gateway.end_next(done()).await;
    age(&pool).await;
    let run = again.json()["tracking_id"].as_str().map(aged);
    let run = uuid(&run.expect("an id"));
    let mut archiving = pool.begin().await.expect("the database is there");
    let archived = sqlx::query_scalar!("SELECT archive_operations(ARRAY[$1::uuid], now())", run)
        .fetch_one(&mut *archiving)
        .await;
    assert_eq!(archived.expect("the database is there"), Some(1));
    let twice = sqlx::query!(
        "INSERT INTO operation (id, type, state, lane, position, blocked_by, due_at, retry_of)
         VALUES (gen_random_uuid(), 'CLIENT_UPDATE', 'ready', 'client:c', 99, 0, now(), $1)",
        uuid(&aged(&failed))
    );
    let commit = async {
        eventually_waits_for_lock(&pool).await;
        archiving.commit().await.expect("it commits");
    };
    let (twice, ()) = tokio::join!(twice.execute(&pool), commit);
    let refusal = twice.expect_err("it has been run again");
    let code = refusal
        .as_database_error()
        .and_then(|error| error.code().map(String::from));
    assert_eq!(code.as_deref(), Some("23505"), "{refusal}");
}
