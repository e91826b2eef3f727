//! Queries and changes that tests make in the gateway's database.

use reqwest::Url;
use sqlx::{ConnectOptions as _, PgConnection, PgPool, postgres::PgConnectOptions};

use super::eventually::eventually;

/// A trigger by which each operation that is to be retried waits for an hour, unless the test makes it due.
const STOP_RETRIES: &str = "
    CREATE OR REPLACE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.due_at := now() + interval '1 hour'; RETURN NEW; END $$;
    CREATE OR REPLACE TRIGGER stay BEFORE UPDATE ON operation
       FOR EACH ROW WHEN (OLD.state = 'running' AND NEW.state = 'ready') EXECUTE FUNCTION stay()";

/// The URL of this database.
pub(crate) fn url(pool: &PgPool) -> String {
    pool.connect_options().to_url_lossy().to_string()
}

/// The URL of a database for Postgres' own programs. They do not understand the parameters that sqlx adds.
pub(crate) fn program_url(options: &PgConnectOptions) -> Url {
    let mut url = options.to_url_lossy();
    url.set_query(None);
    url
}

/// Stops retries: an operation that is to be retried waits until the test [makes it due](make_due).
pub(crate) async fn stop_retries(pool: &PgPool) {
    let stopped = sqlx::raw_sql(STOP_RETRIES).execute(pool).await;
    stopped.expect("the database is there");
}

/// Makes every ready operation due.
pub(crate) async fn make_due(pool: &PgPool) {
    let statements =
        "UPDATE operation SET due_at = now() WHERE state = 'ready'; NOTIFY operation_ready";
    let made = sqlx::raw_sql(statements).execute(pool).await;
    made.expect("the database is there");
}

/// Whether a query returns `true`.
pub(crate) async fn is_true(pool: &PgPool, query: &'static str) -> bool {
    let mut connection = pool.acquire().await.expect("the database is there");
    is_true_on(&mut connection, query).await
}

/// As [`is_true`], on this connection.
pub(crate) async fn is_true_on(connection: &mut PgConnection, query: &'static str) -> bool {
    let answer = sqlx::query_scalar(query).fetch_one(connection).await;
    answer.expect("an answer")
}

/// Waits until a query returns `true`.
pub(crate) async fn eventually_true(pool: &PgPool, query: &'static str) {
    eventually(query, async || is_true(pool, query).await).await;
}

/// Waits until a statement in this database waits for a lock.
pub(crate) async fn eventually_waits_for_lock(pool: &PgPool) {
    let query = "SELECT EXISTS (SELECT FROM pg_stat_activity
                                 WHERE datname = current_database() AND wait_event_type = 'Lock')";
    eventually_true(pool, query).await;
}
