//! Months are exported before they are dropped.

use std::{
    fs::{self, File},
    io::Read as _,
    path::Path,
    time::Duration,
};

use fineract_gateway::store::{Pool, Retention, RetentionSettings};
use serde_json::Value;
use sqlx::PgPool;

use super::{DROPS, age_and_archive, aged, retain_with};
use crate::support::{
    TestGateway,
    database::is_true,
    fixtures::{client_update, done, loan_disburse, refused},
    operators::uuid,
};

/// Drops old months, after they were exported to this folder. Returns how many.
async fn drop_months(pool: &PgPool, settings: RetentionSettings, folder: &Path) -> i32 {
    let retention =
        Retention::new(Pool::from(pool.clone())).exporting_to(Some(folder.to_path_buf()));
    retain_with(retention, settings).await.dropped
}

/// The month that was dropped, such as `2026-03`.
async fn dropped_month(pool: &PgPool) -> String {
    let month = sqlx::query_scalar!("SELECT month FROM dropped_month");
    let month = month.fetch_one(pool).await.expect("one month");
    month.format("%Y-%m").to_string()
}

/// The names of the files in a folder.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| entry.expect("a file").file_name().into_string());
    names.map(|name| name.expect("UTF-8")).collect()
}

#[sqlx::test]
async fn a_month_is_whole_in_its_file_before_it_is_gone(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let update = gateway.accept(&client_update("C")).await;
    gateway.end_next(done()).await;
    let disburse = gateway.accept(&loan_disburse("L")).await;
    gateway.end_next(refused()).await;
    // JSON as a caller may write it, with line breaks.
    let broken = "UPDATE payload SET data = replace(data::text, ',', E',\\r\\n')::json";
    sqlx::raw_sql(broken).execute(&pool).await.expect("it runs");
    assert_eq!(age_and_archive(&pool).await, 2);
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(drop_months(&pool, DROPS, folder.path()).await, 1);
    assert!(is_true(&pool, "SELECT count(*) = 0 FROM known_operation").await);

    let names = files(folder.path());
    let [name] = names.as_slice() else {
        panic!("one file: {names:?}");
    };
    let year_and_month = dropped_month(&pool).await;
    let begin = format!("operations-{year_and_month}-exported-20");
    assert!(
        name.starts_with(&begin) && name.ends_with("Z.ndjson.zst"),
        "{name}"
    );
    let mut text = String::new();
    let file = File::open(folder.path().join(name)).expect("a file");
    let mut decoder = zstd::Decoder::new(file).expect("zstd");
    decoder.read_to_string(&mut text).expect("zstd");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    let [updated, disbursed] = lines.as_slice() else {
        panic!("two operations: {text}");
    };
    for (line, id) in [(updated, &update), (disbursed, &disburse)] {
        let id = uuid(&aged(id)).to_string();
        assert_eq!(line["operation"]["id"], id, "{line}");
        assert_eq!(line["payload"]["operation_id"], line["operation"]["id"]);
        assert!(line["attempts"].is_array(), "{line}");
    }
    assert_eq!(updated["operation"]["state"], "succeeded");
    assert!(updated["result"]["success"].is_string(), "{updated}");
    assert_eq!(disbursed["operation"]["state"], "failed");
    assert!(disbursed["payload"]["data"].is_object(), "{disbursed}");
}

#[sqlx::test]
async fn a_month_that_cannot_be_exported_stays(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.accept(&client_update("C")).await;
    gateway.end_next(done()).await;
    assert_eq!(age_and_archive(&pool).await, 1);
    let folder = tempfile::tempdir().expect("a folder");
    let gone = folder.path().join("gone");
    assert_eq!(drop_months(&pool, DROPS, &gone).await, 0);
    assert!(is_true(&pool, "SELECT count(*) = 1 FROM archived_operation").await);
    assert!(is_true(&pool, "SELECT count(*) = 0 FROM dropped_month").await);
    fs::create_dir(&gone).expect("it is created");
    assert_eq!(drop_months(&pool, DROPS, &gone).await, 1);
    assert_eq!(files(&gone).len(), 1);
}

#[sqlx::test]
async fn a_month_that_is_not_dropped_is_not_exported(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.accept(&client_update("C")).await;
    gateway.end_next(done()).await;
    assert_eq!(age_and_archive(&pool).await, 1);
    let keeps_longer = RetentionSettings {
        kept_for: Some(Duration::from_hours(200 * 24)),
        ..DROPS
    };
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(drop_months(&pool, keeps_longer, folder.path()).await, 0);
    assert_eq!(files(folder.path()), Vec::<String>::new());
}
