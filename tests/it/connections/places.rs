//! How many connections there may be, in all and from one address.

use fineract_gateway::http::ConnectionLimits;
use reqwest::Method;
use sqlx::PgPool;

use super::{connect, health, serve_with};
use crate::support::{TestGateway, eventually::eventually, system::System};

async fn read_metrics(gateway: &TestGateway) -> String {
    let answer = gateway.request(Method::GET, "/metrics").send().await;
    answer
        .expect("an answer")
        .text()
        .await
        .expect("a whole answer")
}

#[sqlx::test]
async fn one_address_has_its_places_and_gets_them_back(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let limits = ConnectionLimits {
        in_all: 1_000,
        per_address: 3,
    };
    let address = serve_with(&gateway, limits).await;
    // From the first reading on, metrics are recorded.
    read_metrics(&gateway).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(connect(address).await);
    }
    eventually("a fourth connection is refused", async || {
        health(address).await.is_empty()
    })
    .await;
    open.pop();
    eventually("the place is free again", async || {
        health(address).await.starts_with("HTTP/1.1 200 ")
    })
    .await;
    let metrics = read_metrics(&gateway).await;
    assert!(metrics.contains("gateway_connections_refused_total{reason=\"per_address\"}"));
}

#[sqlx::test]
async fn there_are_so_many_places_in_all(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let limits = ConnectionLimits {
        in_all: 2,
        per_address: 1_000,
    };
    let address = serve_with(&gateway, limits).await;
    let open = [connect(address).await, connect(address).await];
    eventually("a third connection is refused", async || {
        health(address).await.is_empty()
    })
    .await;
    drop(open);
    eventually("the places are free again", async || {
        health(address).await.starts_with("HTTP/1.1 200 ")
    })
    .await;
}

#[sqlx::test]
async fn the_settings_decide(pool: PgPool) {
    let mut system = System::start(&pool).await;
    for name in ["HTTP_MAX_CONNECTIONS", "HTTP_MAX_CONNECTIONS_PER_ADDRESS"] {
        system.set(name, "1");
        let gateway = system.gateway().await;
        let open = connect(gateway.address).await;
        eventually("a second connection is refused", async || {
            health(gateway.address).await.is_empty()
        })
        .await;
        drop(open);
        gateway.shut_down().await;
        system.set(name, "");
    }
}
