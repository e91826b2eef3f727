//! Another session's transaction stays open for a long time, as during `pg_dump`.

use std::time::{Duration, Instant};

use fineract_gateway::domain::OperationType;
use sqlx::PgPool;

use crate::support::{
    TestGateway, claim_limits, eventually::eventually, fixtures::client_create, system::System,
};

#[sqlx::test]
async fn what_comes_in_behind_a_claim_is_not_missed(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let limits = claim_limits(10, OperationType::ALL);
    let claim = async || gateway.store.claim(&limits).await.unwrap().len();
    assert_eq!(claim().await, 0);
    gateway.accept(&client_create("C")).await;
    // As if the accept had taken a minute, or as if another session had locked the row.
    sqlx::raw_sql("UPDATE operation SET due_at = now() - interval '1 minute'")
        .execute(&pool)
        .await
        .unwrap();
    let started = Instant::now();
    assert_eq!(claim().await, 0, "every claim searches from the beginning");
    eventually("the operation is claimed", async || claim().await == 1).await;
    let took = started.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[sqlx::test]
async fn how_old_it_is_is_told(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.process().await;
    let mut long = pool.begin().await.unwrap();
    sqlx::raw_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM lane")
        .execute(&mut *long)
        .await
        .unwrap();
    eventually("the metrics report the age", async || {
        let metrics = gateway.get("/metrics").await.text;
        let age = metrics
            .lines()
            .find_map(|line| line.strip_prefix("gateway_oldest_transaction_seconds "))
            .and_then(|age| age.parse::<f64>().ok());
        age.is_some_and(|age| age > 3.0)
    })
    .await;
}
