//! Where others see a seal: in the log, in `/metrics`, and by their own computation.

use std::{fs, process::Stdio};

use sqlx::{AssertSqlSafe, PgPool, Row as _};

use super::{TWO_ROWS, execute, is_right, sealed};
use crate::support::{
    TestGateway,
    command::TemporaryFolder,
    eventually::{eventually, eventually_ok},
    system::System,
};

#[sqlx::test]
async fn the_newest_seal_is_in_the_log_and_in_the_metrics(pool: PgPool) {
    let folder = TemporaryFolder::new();
    let log = format!("{}/log", folder.path());
    let system = System::start(&pool).await;
    let file = fs::File::create(&log).expect("a file");
    let mut gateway = system.process_with_log("info", Stdio::from(file)).await;
    let before = gateway.get("/metrics").await.text;
    assert!(!before.contains("gateway_audit_seal"), "{before}");
    execute(&pool, TWO_ROWS).await;
    let noted = eventually_ok("the seal is in the metrics", async || {
        let metrics = gateway.get("/metrics").await.text;
        let mut lines = metrics.lines();
        let line = lines.find_map(|line| line.strip_prefix("gateway_audit_seal{number=\""));
        let seal = line.and_then(|line| line.strip_suffix("\"} 1"));
        seal.map(|seal| seal.replace("\",hash=\"", ":"))
            .ok_or(metrics.clone())
    })
    .await;
    eventually("the seal is in the log", async || {
        let lines = fs::read_to_string(&log).expect("the log");
        lines.contains(&noted)
    })
    .await;
    gateway.kill().await;
    sealed(&pool).await;
    is_right(&pool, 2, &["--seal", &noted]).await;
}

/// What `docs/OPERATING.md` tells an auditor gives the same seals.
#[sqlx::test]
async fn seals_can_be_computed_by_hand(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    for _ in 0..2 {
        execute(&pool, TWO_ROWS).await;
        sealed(&pool).await;
    }
    drop(gateway);
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/OPERATING.md");
    let document = fs::read_to_string(document).expect("the document");
    let (_, chapter) = document.split_once("### A seal by hand\n").expect("it");
    let (_, query) = chapter.split_once("```sql\n").expect("a query");
    let (query, _) = query.split_once("```").expect("its end");
    let seals = sqlx::raw_sql(AssertSqlSafe(query.to_owned()))
        .fetch_all(&pool)
        .await
        .expect("the query is right");
    assert!(seals.len() >= 2, "{} seals", seals.len());
    for seal in seals {
        let text = |column: &str| seal.get::<String, _>(column);
        assert_eq!(text("stored"), text("computed"));
    }
}
