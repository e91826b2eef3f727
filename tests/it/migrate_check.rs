//! `migrate --check`: says what a migration would do, and does nothing.

use sqlx::{AssertSqlSafe, PgPool};

use crate::support::{
    command::{Ended, run},
    database::{is_true, url},
};

async fn check(pool: &PgPool) -> Ended {
    let url = url(pool);
    run(&["migrate", "--check"], &[("DATABASE_URL", &url)]).await
}

async fn finds(pool: &PgPool, code: i32, found: &str) {
    let ended = check(pool).await;
    assert_eq!(ended.code, Some(code), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains(found), "{found}: {}", ended.stdout);
}

#[sqlx::test(migrations = false)]
async fn an_empty_database_lacks_all_migrations_and_stays_empty(pool: PgPool) {
    finds(&pool, 1, "missing: 0001 baseline\n").await;
    finds(&pool, 1, "missing: 0011 credentials\n").await;
    let empty =
        "SELECT NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace)";
    assert!(is_true(&pool, empty).await);
}

#[sqlx::test]
async fn each_difference_is_named(pool: PgPool) {
    finds(&pool, 0, "the database is migrated").await;
    let before = list(&pool).await;
    for (change, code, found) in [
        (
            "DELETE FROM _sqlx_migrations WHERE version = 11",
            1,
            "missing: 0011 credentials\n",
        ),
        (
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'newer', true, '', 0)",
            3,
            "unknown: 9999",
        ),
        (
            "UPDATE _sqlx_migrations SET checksum = '' WHERE version = 5",
            3,
            "changed: 0005",
        ),
        (
            "UPDATE _sqlx_migrations SET success = false WHERE version = 6;
             DELETE FROM _sqlx_migrations WHERE version = 7",
            3,
            "changed: 0006",
        ),
    ] {
        let statements = format!("CREATE TABLE kept AS SELECT * FROM _sqlx_migrations; {change}");
        execute(&pool, &statements).await;
        let changed = list(&pool).await;
        finds(&pool, code, found).await;
        assert_eq!(list(&pool).await, changed, "the check changed the list");
        let back = "DELETE FROM _sqlx_migrations; INSERT INTO _sqlx_migrations SELECT * FROM kept; DROP TABLE kept";
        execute(&pool, back).await;
    }
    assert_eq!(list(&pool).await, before);
    finds(&pool, 0, "the database is migrated").await;
}

#[tokio::test]
async fn a_database_that_is_not_there_is_no_difference() {
    let url = "postgres://gateway:hush@127.0.0.1:9/gateway";
    let ended = run(&["migrate", "--check"], &[("DATABASE_URL", url)]).await;
    assert_eq!(ended.code, Some(2), "{}", ended.stdout);
    assert!(
        ended.stderr.contains("cannot be reached"),
        "{}",
        ended.stderr
    );
}

async fn execute(pool: &PgPool, statements: &str) {
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
        .execute(pool)
        .await
        .expect("the database is there");
}

/// The list of migrations, as text.
async fn list(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar("SELECT m::text FROM _sqlx_migrations m ORDER BY version")
        .fetch_all(pool)
        .await
        .expect("the database is there")
}
