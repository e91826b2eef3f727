//! The numbers of events: each event has one, and a number that is visible is never followed by a smaller one.

use std::process::{Command, Stdio};

use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgPool, postgres::PgPoolOptions};

use super::{end, numbered};
use crate::support::{
    TestGateway,
    database::program_url,
    eventually::eventually_ok,
    fixtures::{client_update, done},
    operators::uuid,
};

/// Several passes run while a transaction is open that has drawn a smaller id than theirs.
#[sqlx::test]
async fn a_transaction_that_commits_late_is_numbered_late(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let late = gateway.accept(&client_update("A")).await;
    let mut others = Vec::new();
    for client in ["B", "C", "D", "E"] {
        others.push(gateway.accept(&client_update(client)).await);
    }
    let mut open = pool.begin().await.unwrap();
    end(&mut open, &late, "succeeded").await;
    for (index, other) in others.iter().enumerate() {
        end(&mut pool.acquire().await.unwrap(), other, "failed").await;
        numbered(&pool, index + 1).await;
    }
    open.commit().await.unwrap();
    let events = numbered(&pool, 5).await;
    let operations: Vec<_> = events.iter().filter_map(|event| event.operation).collect();
    let expected: Vec<_> = others.iter().chain([&late]).map(|id| uuid(id)).collect();
    assert_eq!(operations, expected);
}

#[sqlx::test]
async fn what_is_open_in_another_database_holds_nothing_up(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let elsewhere = pool.connect_options().as_ref().clone().database("postgres");
    let mut elsewhere = elsewhere.connect().await.unwrap();
    let mut open = elsewhere.begin().await.unwrap();
    // It has a transaction id, so it is a writer.
    sqlx::raw_sql("SELECT pg_current_xact_id()")
        .execute(&mut *open)
        .await
        .unwrap();
    for client in ["A", "B", "C"] {
        gateway.accept(&client_update(client)).await;
        gateway.end_next(done()).await;
    }
    numbered(&pool, 3).await;
    open.rollback().await.unwrap();
}

/// Two gateways number at the same time.
#[sqlx::test]
async fn each_event_gets_one_number_whoever_gives_it(pool: PgPool) {
    let gateways = [
        TestGateway::start(pool.clone()).await,
        TestGateway::start(pool.clone()).await,
    ];
    let mut ids = Vec::new();
    for index in 0..20 {
        let id = gateways[0]
            .accept(&client_update(&format!("C-{index}")))
            .await;
        ids.push(uuid(&id));
    }
    for index in 0..20 {
        gateways[index % 2].end_next(done()).await;
    }
    let events = numbered(&pool, 20).await;
    let mut operations: Vec<_> = events.iter().filter_map(|event| event.operation).collect();
    operations.sort_unstable();
    ids.sort_unstable();
    assert_eq!(operations, ids);
}

/// A dump is restored into another database while the first one goes on. The numbers that the second one gives must be
/// greater than those that its readers got from the first one after the dump.
#[sqlx::test]
async fn a_restored_dump_gives_only_greater_numbers(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    for client in ["A", "B"] {
        gateway.accept(&client_update(client)).await;
    }
    gateway.end_next(done()).await;
    numbered(&pool, 1).await;
    let options = pool.connect_options();
    let name = format!("restored_{}", uuid::Uuid::new_v4().simple());
    let create = format!("CREATE DATABASE {name}");
    sqlx::raw_sql(AssertSqlSafe(create))
        .execute(&pool)
        .await
        .unwrap();
    let copy = options.as_ref().clone().database(&name);
    let mut dump = Command::new("pg_dump")
        .arg(program_url(&options).as_str())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let restored = Command::new("psql")
        .args([
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            program_url(&copy).as_str(),
        ])
        .stdin(dump.stdout.take().unwrap())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(dump.wait().unwrap().success() && restored.success());
    gateway.end_next(done()).await;
    let last_before = numbered(&pool, 2).await[1].number;
    drop(gateway);

    let restored = PgPoolOptions::new().connect_with(copy).await.unwrap();
    let gateway = TestGateway::start(restored.clone()).await;
    gateway.end_next(done()).await;
    let events = numbered(&restored, 2).await;
    assert!(events[1].number > last_before, "{events:?} {last_before}");
    drop(gateway);
    let gone = eventually_ok("the copy is removed", async || {
        let drop = format!("DROP DATABASE {name} WITH (FORCE)");
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&pool).await
    });
    gone.await;
}
