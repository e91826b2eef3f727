//! `/healthz` and `/readyz`, over TCP.

use std::net::{SocketAddr, TcpListener};

use chrono::{TimeZone as _, Utc};
use fineract_gateway::domain::FineractHealth;
use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::PgPool;

use crate::support::{
    Answer, TestGateway, command::run, eventually::eventually_ok, system::System,
};

async fn get(gateway: &TestGateway, path: &str) -> Answer {
    Answer::of(gateway.request(Method::GET, path)).await
}

#[sqlx::test]
async fn fineracts_state_is_told_and_makes_nothing_unready(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let since = Utc.with_ymd_and_hms(2026, 3, 13, 10, 1, 2).unwrap();
    for (health, expected) in [
        (FineractHealth::Unknown, json!({"state": "unknown"})),
        (FineractHealth::Open, json!({"state": "open"})),
        (
            FineractHealth::Blocked {
                reason: "unauthorized",
                since,
            },
            json!({"state": "blocked", "reason": "unauthorized", "since": "2026-03-13T10:01:02Z"}),
        ),
    ] {
        gateway.fineract.send_replace(health);
        let answer = get(&gateway, "/api/readyz").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(
            answer.json(),
            json!({"status": "ready", "database": "ready", "draining": false, "on_hold_since": null, "fineract": expected,
                   "oldest_unwritten_answer_seconds": 0})
        );
    }
}

/// Without `READ_AUDIT`, the gateway cannot see what became of a command that waits for a checker.
#[sqlx::test]
async fn a_user_without_read_audit_is_told_of_and_makes_nothing_unready(pool: PgPool) {
    let system = System::start(&pool).await;
    let lost = json!({ "match": { "method": "GET", "path": "/audits" }, "fault": "forbidden" });
    system.fault(lost).await;
    let gateway = system.gateway().await;
    eventually_ok("the permission is reported", async || {
        let ready = gateway.get("/readyz").await;
        assert_eq!(ready.status, StatusCode::OK);
        if ready.json()["fineract"]["missing_permissions"] == json!(["READ_AUDIT"]) {
            Ok(())
        } else {
            Err(ready.text)
        }
    })
    .await;
}

#[sqlx::test]
async fn a_gateway_that_shuts_down_is_not_ready_but_alive(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    // What is known of the database is kept, but not this.
    assert_eq!(get(&gateway, "/readyz").await.status, StatusCode::OK);
    gateway.draining.cancel();
    let answer = get(&gateway, "/readyz").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["status"], "not_ready");
    assert_eq!(answer.json()["draining"], true);
    assert_eq!(get(&gateway, "/healthz").await.status, StatusCode::OK);
}

#[sqlx::test]
async fn a_gateway_without_its_schema_or_its_database_is_not_ready_but_alive(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    sqlx::query!("UPDATE _sqlx_migrations SET success = false")
        .execute(&pool)
        .await
        .unwrap();
    let answer = get(&gateway, "/readyz").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["database"], "not_migrated");

    pool.close().await;
    eventually_ok("the database is away", async || {
        let answer = get(&gateway, "/readyz").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        let database = answer.json()["database"].take();
        if database == "away" {
            Ok(())
        } else {
            Err(database)
        }
    })
    .await;
    assert_eq!(
        get(&gateway, "/healthz").await.text,
        r#"{"status":"alive"}"#
    );
}

#[sqlx::test]
async fn a_worker_tells_how_it_is_and_has_no_callers(pool: PgPool) {
    let mut system = System::start(&pool).await;
    system.set("ROLE", "worker");
    system.set("INTERNAL_TOKENS", "");
    let worker = system.gateway().await;
    assert_eq!(worker.get("/healthz").await.text, r#"{"status":"alive"}"#);
    let ready = worker.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::OK, "{}", ready.text);
    let metrics = worker.get("/metrics").await;
    assert_eq!(metrics.status, StatusCode::OK);
    assert!(metrics.text.contains("gateway_in_flight_limit"));
    for path in [
        "/fineract/track/CLIENT_CREATE|1",
        "/fineract/operations",
        "/transactions/1/",
        "/bulk/status",
    ] {
        let answer = worker.get(path).await;
        assert_eq!(
            answer.problem(),
            (404, "unknown_route".to_owned()),
            "{path}"
        );
    }
    let answer = worker.operate("CLIENT_CREATE", json!({})).await;
    assert_eq!(answer.problem(), (404, "unknown_route".to_owned()));
    assert!(worker.shut_down().await);
}

#[sqlx::test]
async fn the_command_asks_whether_the_process_is_alive(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    let ask = async |address: SocketAddr| {
        let url = format!("http://{address}/");
        run(&["health"], &[("GATEWAY_URL", &url)]).await
    };
    let ended = ask(gateway.address).await;
    let printed = (ended.stdout.as_str(), ended.stderr.as_str());
    assert_eq!((ended.code, printed), (Some(0), ("", "")));

    let unused = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = unused.local_addr().expect("an address");
    drop(unused);
    let ended = ask(address).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let reason = ended.stderr.strip_prefix("the gateway is not alive: ");
    assert!(
        reason.is_some_and(|reason| reason.contains("refused")),
        "{}",
        ended.stderr
    );
}
