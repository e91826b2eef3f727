//! When a key expires, by the time of Postgres, and what a gateway does while its database is away.

use private_postgres::PrivatePostgres;
use reqwest::Method;
use serde_json::json;
use sqlx::{Executor as _, PgPool};
use tokio::task::block_in_place;

use super::{Key, refusals, run};
use crate::{
    failover::postgres,
    support::{
        Answer, TestGateway, database::is_true, eventually::eventually, fixtures::client_create,
    },
};

#[sqlx::test]
async fn a_long_poll_ends_when_its_key_expires(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let key = Key::token(&gateway, "acme").await;
    let id = key.accept(&gateway, &client_create("C-1")).await;
    run(
        &pool,
        "UPDATE credential SET expires_at = clock_timestamp() + interval '2 s'",
    )
    .await;
    let request = gateway.request(Method::GET, &format!("/fineract/track/{id}"));
    let answer = Answer::of(key.with(request.header("Prefer", "wait=50"))).await;
    assert_eq!(answer.problem(), (401, "unauthorized".to_owned()));
    let has_expired = "SELECT expires_at <= clock_timestamp() FROM credential";
    assert!(is_true(&pool, has_expired).await, "by Postgres' time");
    let before = refusals(&gateway, "expired").await;
    assert_eq!(key.get(&gateway, "/events").await.status, 401);
    assert!(refusals(&gateway, "expired").await > before);
}

#[sqlx::test]
async fn a_key_that_has_expired_already_is_not_created(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let operator = crate::support::operators::Operator::of(gateway.address);
    let body = json!({ "name": "late", "kind": "ops", "expires_at": "2020-01-01T00:00:00Z" });
    let answer = operator.post("/keys", &body).await;
    assert_eq!(answer.problem(), (409, "key_expired".to_owned()));
    let body = json!({ "name": "twice", "kind": "ops" });
    assert_eq!(operator.post("/keys", &body).await.status, 201);
    let answer = operator.post("/keys", &body).await;
    assert_eq!(answer.problem(), (409, "key_name_in_use".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_the_keys_that_are_known_go_on() {
    let mut postgres: PrivatePostgres = postgres();
    let pool = PgPool::connect(&postgres.url("postgres"))
        .await
        .expect("a pool");
    let migrations = sqlx::migrate!();
    migrations.run(&pool).await.expect("the migrations");
    let gateway = TestGateway::start(pool.clone()).await;
    let key = Key::token(&gateway, "acme").await;
    assert_eq!(key.get(&gateway, "/events").await.status, 200);
    block_in_place(|| postgres.kill_immediately()).expect("a kill");
    let answer = key.get(&gateway, "/events").await;
    assert_eq!(
        answer.problem(),
        (503, "database_unavailable".to_owned()),
        "not 401"
    );
    let unknown = Key {
        secret: key
            .secret
            .replace(&key.id.replace('-', ""), &"0".repeat(32)),
        ..key
    };
    assert_eq!(unknown.get(&gateway, "/events").await.status, 401);
    block_in_place(|| postgres.start_again()).expect("a start");
    let changed = eventually("the database is back", async || {
        pool.execute("UPDATE credential SET revoked_at = now(), revoked_by = 'test'")
            .await
            .is_ok()
    });
    changed.await;
    let key = Key {
        secret: unknown
            .secret
            .replace(&"0".repeat(32), &unknown.id.replace('-', "")),
        ..unknown
    };
    eventually("the gateway hears again", async || {
        key.get(&gateway, "/events").await.status == 401
    })
    .await;
}
