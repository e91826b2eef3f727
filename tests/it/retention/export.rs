//! Months are exported before they are dropped.

use std::{
    fs::{self, File},
    io::Read as _,
    path::Path,
    time::{Duration, SystemTime},
};

use fineract_gateway::store::{Pool, Retention, RetentionSettings, StoreError};
use serde_json::Value;
use sqlx::{PgPool, error::DatabaseError};

use super::{DROPS, age_and_archive, aged, archive_one, retain, retain_with};
use crate::{
    erase::erase,
    support::{
        TestGateway,
        command::run,
        database::{eventually_true, is_true, url},
        fixtures::{client_update, done, loan_disburse, refused},
        operators::uuid,
        system::System,
    },
};

fn exporting(pool: &PgPool, folder: &Path) -> Retention {
    Retention::new(Pool::from(pool.clone())).exporting_to(Some(folder.to_path_buf()))
}

/// Drops old months, after they were exported to this folder. Returns how many.
async fn drop_months(pool: &PgPool, settings: RetentionSettings, folder: &Path) -> i32 {
    let retention = exporting(pool, folder);
    retain_with(retention, settings).await.dropped
}

/// Runs retention, which cannot drop a month, and so drops none. Returns why.
async fn fail_to_drop(pool: &PgPool, retention: Retention) -> StoreError {
    let error = retention.run(DROPS).await.expect_err("a month stays");
    assert!(is_true(pool, "SELECT count(*) = 1 FROM archived_operation").await);
    assert!(is_true(pool, "SELECT count(*) = 0 FROM dropped_month").await);
    error
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
    archive_one(&pool).await;
    let folder = tempfile::tempdir().expect("a folder");
    let gone = folder.path().join("gone");
    let error = fail_to_drop(&pool, exporting(&pool, &gone)).await;
    assert!(matches!(error, StoreError::Export(_)), "{error}");
    assert!(is_true(&pool, "SELECT problem = 'export' FROM retention").await);

    let url = url(&pool);
    let folder = gone.to_str().expect("UTF-8");
    let settings = [
        ("DATABASE_URL", &*url),
        ("RETENTION_DAYS", "60"),
        ("RETENTION_EXPORT_DIR", folder),
    ];
    let failed = run(&["retention", "run"], &settings).await;
    assert_ne!(failed.code, Some(0));
    let said = "the export cannot be written: No such file or directory";
    assert!(failed.stderr.contains(said), "{}", failed.stderr);

    fs::create_dir(&gone).expect("it is created");
    assert_eq!(drop_months(&pool, DROPS, &gone).await, 1);
    assert_eq!(files(&gone).len(), 1);
    assert!(is_true(&pool, "SELECT problem IS NULL FROM retention").await);
}

#[sqlx::test]
async fn a_month_that_is_not_dropped_is_not_exported(pool: PgPool) {
    archive_one(&pool).await;
    let keeps_longer = RetentionSettings {
        kept_for: Some(Duration::from_hours(200 * 24)),
        ..DROPS
    };
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(drop_months(&pool, keeps_longer, folder.path()).await, 0);
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

/// Two drops follow one another: one is taken back before the export, and the one after it may fail.
#[sqlx::test]
async fn the_file_of_a_month_that_stays_after_all_is_removed(pool: PgPool) {
    archive_one(&pool).await;
    let fails_later = "
        CREATE SEQUENCE drops;
        CREATE FUNCTION fail_later() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('drops') > 1 THEN RAISE 'not now'; END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER fails_later BEFORE INSERT ON dropped_month FOR EACH ROW EXECUTE FUNCTION fail_later()";
    let made = sqlx::raw_sql(fails_later).execute(&pool).await;
    made.expect("it is made");
    let folder = tempfile::tempdir().expect("a folder");
    fail_to_drop(&pool, exporting(&pool, folder.path())).await;
    assert!(is_true(&pool, "SELECT last_value = 2 FROM drops").await);
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[sqlx::test]
async fn what_other_gateways_export_is_not_dropped_without(pool: PgPool) {
    archive_one(&pool).await;
    let exporter =
        "INSERT INTO gateway_process (id, version, role, settings, reads_archive, exports_months)
                    VALUES (gen_random_uuid(), '1', 'all', '{}', true, true)";
    let written = sqlx::raw_sql(exporter).execute(&pool).await;
    written.expect("it is written");
    let error = fail_to_drop(&pool, Retention::new(Pool::from(pool.clone()))).await;
    assert!(matches!(error, StoreError::Export(_)), "{error}");

    let gone = sqlx::raw_sql("DELETE FROM gateway_process").execute(&pool);
    gone.await.expect("it is gone");
    assert_eq!(retain(&pool, DROPS).await.dropped, 1);
}

#[sqlx::test]
async fn what_a_process_that_died_left_unfinished_is_removed(pool: PgPool) {
    archive_one(&pool).await;
    let folder = tempfile::tempdir().expect("a folder");
    for (name, hours) in [(".export-old", 25), (".export-new", 1), ("other-old", 25)] {
        let file = File::create(folder.path().join(name)).expect("a file");
        let time = SystemTime::now() - Duration::from_hours(hours);
        file.set_modified(time).expect("it has this time");
    }
    assert_eq!(drop_months(&pool, DROPS, folder.path()).await, 1);
    let mut left = files(folder.path());
    left.retain(|name| !name.starts_with("operations-"));
    left.sort_unstable();
    assert_eq!(left, [".export-new", "other-old"]);
}

#[sqlx::test]
async fn an_export_waits_for_an_erasure_and_not_the_other_way_round(pool: PgPool) {
    archive_one(&pool).await;
    let mut exporting_now = pool.begin().await.expect("a transaction");
    let locked = "SELECT pg_advisory_xact_lock(x'6578706f7274'::bigint)";
    let locked = sqlx::raw_sql(locked).execute(&mut *exporting_now).await;
    locked.expect("it is locked");
    let refused = erase(&pool, "C").await;
    let said = "a month of the archive is being exported";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
    exporting_now.rollback().await.expect("it ends");

    let mut erasing_now = pool.begin().await.expect("a transaction");
    let locked = "SELECT pg_advisory_xact_lock_shared(x'6578706f7274'::bigint)";
    let locked = sqlx::raw_sql(locked).execute(&mut *erasing_now).await;
    locked.expect("it is locked");
    let folder = tempfile::tempdir().expect("a folder");
    let error = fail_to_drop(&pool, exporting(&pool, folder.path())).await;
    let StoreError::Database { source, .. } = &error else {
        panic!("{error}");
    };
    let code = source.as_database_error().and_then(DatabaseError::code);
    assert_eq!(code.as_deref(), Some("55P03"), "lock_not_available");
    assert_eq!(erase(&pool, "C").await.code, Some(0));
}

/// Vacuum and the numbering of events wait for a transaction that has written.
#[sqlx::test]
async fn a_month_is_exported_by_a_transaction_that_has_not_written(pool: PgPool) {
    archive_one(&pool).await;
    let refuses = "
        CREATE OR REPLACE FUNCTION first_id(at timestamptz) RETURNS uuid LANGUAGE plpgsql IMMUTABLE AS $$
        BEGIN
            IF pg_current_xact_id_if_assigned() IS NOT NULL THEN RAISE 'it has written'; END IF;
            RETURN rpad(lpad(to_hex((EXTRACT(EPOCH FROM at) * 1000)::bigint), 12, '0'), 32, '0')::uuid;
        END $$";
    let made = sqlx::raw_sql(refuses).execute(&pool).await;
    made.expect("it is made");
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(drop_months(&pool, DROPS, folder.path()).await, 1);
}

#[sqlx::test]
async fn a_gateway_says_that_it_exports_also_while_it_is_restarted(pool: PgPool) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut system = System::start(&pool).await;
    system.set("RETENTION_DAYS", "400");
    system.set(
        "RETENTION_EXPORT_DIR",
        folder.path().to_str().expect("UTF-8"),
    );
    let gateway = system.gateway().await;
    let says = "SELECT count(*) = 1 FROM gateway_process WHERE exports_months";
    eventually_true(&pool, says).await;
    gateway.shut_down().await;
    assert!(is_true(&pool, says).await);
}
