//! `fineract-gateway retention`.

use serde_json::Value;
use sqlx::PgPool;

use super::age;
use crate::support::{
    TestGateway,
    command::{Ended, run},
    database::url,
    fixtures::{client_update, done},
};

#[sqlx::test]
async fn the_command_archives_and_shows_what_is_archived(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    for client in ["C", "D"] {
        gateway.accept(&client_update(client)).await;
        gateway.end_next(done()).await;
    }
    age(&pool).await;
    let url = url(&pool);
    let retention = async |arguments: &[&str], days: &str| -> Ended {
        let arguments = [&["retention"], arguments].concat();
        run(
            &arguments,
            &[("DATABASE_URL", &url), ("RETENTION_DAYS", days)],
        )
        .await
    };
    let before = retention(&["status"], "0").await;
    assert!(
        before.stdout.starts_with("no run yet\n"),
        "{}",
        before.stdout
    );
    let archived = retention(&["run"], "0").await;
    assert_eq!(archived.code, Some(0), "{}", archived.stderr);
    assert_eq!(
        archived.stdout,
        "2 operations archived, 0 old ones stay where they are, 0 months dropped\n"
    );
    let status = retention(&["status", "--json"], "0").await;
    let status: Value = serde_json::from_str(&status.stdout).expect("JSON");
    assert_eq!(status["last_run"]["archived"], 2, "{status}");
    assert_eq!(
        status["months"].as_array().map(Vec::len),
        Some(1),
        "{status}"
    );
    assert!(status["months"][0]["bytes"].as_i64() > Some(0), "{status}");

    let wrong = retention(&["run"], "20").await;
    assert_eq!(wrong.code, Some(2));
    assert!(
        wrong
            .stderr
            .contains("RETENTION_DAYS must be 0, or more than"),
        "{}",
        wrong.stderr
    );
    let wrong = run(
        &["retention", "run"],
        &[("DATABASE_URL", &url), ("RETENTION_EXPORT_DIR", "/nowhere")],
    )
    .await;
    assert_eq!(wrong.code, Some(2));
    let problem = "RETENTION_EXPORT_DIR is set, but has no effect without RETENTION_DAYS";
    assert!(wrong.stderr.contains(problem), "{}", wrong.stderr);
    let dropped = retention(&["run"], "60").await;
    assert_eq!(
        dropped.stdout,
        "0 operations archived, 0 old ones stay where they are, 1 months dropped\n"
    );
    let status = retention(&["status"], "0").await;
    assert!(status.stdout.contains("  dropped on "), "{}", status.stdout);
}
