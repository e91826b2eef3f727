//! The audit and its seals: whatever is changed is found (`docs/OPERATING.md`, "The audit").

mod found;
mod noted;
mod writers;

use sqlx::{AssertSqlSafe, PgPool};

use crate::support::{
    command::{Ended, run},
    database::{eventually_true, url},
};

/// Two rows: one with a value in each column, one with as few as possible.
const TWO_ROWS: &str = r#"
    INSERT INTO audit (operator, action, operation_id, request_id, detail, address, reason, before, after, repair_id,
                       credential_id)
    VALUES ('Bjørn', 'cancel', gen_random_uuid(), 'request 1', '{"a":  1.0, "a": null}', '127.0.0.1',
            E'two\nlines 3 id', '{}', '[]', gen_random_uuid(), gen_random_uuid());
    INSERT INTO audit (operator, action, request_id, detail) VALUES ('', 'end_hold', '', '{}')"#;

/// Executes statements, as the owner of the tables could.
async fn execute(pool: &PgPool, statements: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
        .execute(pool)
        .await;
    done.expect(statements);
}

/// Executes statements that the trigger of these tables would refuse.
async fn tamper(pool: &PgPool, statements: &str) {
    let statements = format!(
        "BEGIN;
         ALTER TABLE audit DISABLE TRIGGER audit_is_final;
         ALTER TABLE audit_seal DISABLE TRIGGER audit_is_final;
         {statements};
         ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_is_final;
         ALTER TABLE audit_seal ENABLE ALWAYS TRIGGER audit_is_final;
         COMMIT"
    );
    execute(pool, &statements).await;
}

/// Waits until every row has a seal.
pub(crate) async fn sealed(pool: &PgPool) {
    let all = "SELECT (SELECT max(id) FROM audit) IS NOT DISTINCT FROM (SELECT max(last_id) FROM audit_seal)";
    eventually_true(pool, all).await;
}

/// Runs `audit verify`, with these arguments.
async fn verify(pool: &PgPool, arguments: &[&str]) -> Ended {
    let url = url(pool);
    let arguments = [&["audit", "verify"], arguments].concat();
    run(&arguments, &[("DATABASE_URL", &url)]).await
}

/// Runs `audit verify`, which must find nothing wrong. Returns the newest seal.
async fn is_right(pool: &PgPool, sealed: u64, arguments: &[&str]) -> String {
    let ended = verify(pool, arguments).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert!(
        ended.stdout.contains(&format!("sealed rows: {sealed}\n")),
        "{}",
        ended.stdout
    );
    let mut lines = ended.stdout.lines();
    let newest = lines.find_map(|line| line.strip_prefix("newest seal: "));
    newest.expect("a seal").to_owned()
}

/// Runs `audit verify`, which must find this.
async fn is_wrong(pool: &PgPool, found: &str, arguments: &[&str]) {
    let ended = verify(pool, arguments).await;
    assert_eq!(ended.code, Some(1), "{found}: {}", ended.stdout);
    assert!(
        ended.stdout.contains(found),
        "{found}: {}{}",
        ended.stdout,
        ended.stderr
    );
}
