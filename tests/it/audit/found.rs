//! Rows and seals that somebody has changed, removed or added.

use sqlx::PgPool;

use super::{TWO_ROWS, execute, is_right, is_wrong, sealed, tamper, verify};
use crate::support::TestGateway;

/// Two seals: one over two rows, and one over a third row.
async fn two_seals(pool: &PgPool) -> String {
    let gateway = TestGateway::start(pool.clone()).await;
    execute(pool, TWO_ROWS).await;
    sealed(pool).await;
    let row = "INSERT INTO audit (operator, action, request_id, detail) VALUES ('ann', 'retry', 'r', '{}')";
    execute(pool, row).await;
    sealed(pool).await;
    drop(gateway);
    // The gateway may have sealed each of the first two rows for itself.
    tamper(
        pool,
        "CREATE TABLE kept AS SELECT * FROM audit;
         CREATE TABLE kept_seal AS SELECT * FROM audit_seal",
    )
    .await;
    is_right(pool, 3, &[]).await
}

/// Puts rows and seals back as they were.
async fn restore(pool: &PgPool) {
    tamper(
        pool,
        "DELETE FROM audit;
         INSERT INTO audit OVERRIDING SYSTEM VALUE SELECT * FROM kept;
         DELETE FROM audit_seal;
         INSERT INTO audit_seal SELECT * FROM kept_seal",
    )
    .await;
}

/// A column that somebody adds later, and that no seal covers, fails here.
#[sqlx::test]
async fn a_change_of_any_column_is_found(pool: PgPool) {
    two_seals(&pool).await;
    let columns: Vec<String> = sqlx::query_scalar(
        "SELECT column_name || ':' || data_type FROM information_schema.columns
          WHERE table_schema = current_schema() AND table_name = 'audit'",
    )
    .fetch_all(&pool)
    .await
    .expect("the database is there");
    assert!(columns.len() >= 13, "{columns:?}");
    for column in columns {
        let (column, data_type) = column.split_once(':').expect("a name and a type");
        let value = match (column, data_type) {
            ("id", _) => "DEFAULT",
            ("action", _) => "'resolve'",
            (_, "uuid") => "gen_random_uuid()",
            (_, "json") => r#"'{"a":  1.0, "a":null}'"#,
            (_, "timestamp with time zone") => "at + interval '1 microsecond'",
            (_, _) => "'other'",
        };
        // An id cannot be set to a value of one's own; a new one is behind the range.
        let found = match column {
            "id" => "rows were sealed",
            _ => "a row or the seal itself was changed",
        };
        for row in ["operator = 'ann'", "operator = 'Bjørn'"] {
            let change = format!("UPDATE audit SET {column} = {value} WHERE {row}");
            tamper(&pool, &change).await;
            is_wrong(&pool, found, &[]).await;
            restore(&pool).await;
        }
    }
    is_right(&pool, 3, &[]).await;
}

#[sqlx::test]
async fn a_removed_added_or_moved_row_is_found(pool: PgPool) {
    // An id that is missing, as after a transaction that was rolled back.
    execute(&pool, "SELECT nextval('audit_id_seq')").await;
    two_seals(&pool).await;
    let first = "(SELECT min(id) FROM audit)";
    for (statement, found) in [
        (
            format!("DELETE FROM audit WHERE id = {first}"),
            "rows were sealed",
        ),
        ("TRUNCATE audit".to_owned(), "0 are there"),
        (
            // The trigger does not refuse new rows, but their ids are sealed.
            "INSERT INTO audit (id, operator, action, request_id, detail)
             OVERRIDING SYSTEM VALUE VALUES (1, 'x', 'retry', '', '{}')"
                .to_owned(),
            "rows were sealed",
        ),
        (
            "UPDATE kept SET id = CASE id WHEN 2 THEN 3 ELSE 2 END WHERE id IN (2, 3);
             DELETE FROM audit;
             INSERT INTO audit OVERRIDING SYSTEM VALUE SELECT * FROM kept;
             UPDATE kept SET id = CASE id WHEN 2 THEN 3 ELSE 2 END WHERE id IN (2, 3)"
                .to_owned(),
            "a row or the seal itself was changed",
        ),
    ] {
        tamper(&pool, &statement).await;
        is_wrong(&pool, found, &[]).await;
        restore(&pool).await;
    }
    is_right(&pool, 3, &[]).await;
}

#[sqlx::test]
async fn a_changed_or_removed_seal_is_found(pool: PgPool) {
    two_seals(&pool).await;
    let newest = "(SELECT max(number) FROM kept_seal)";
    for (statement, found) in [
        (
            "DELETE FROM audit_seal WHERE number = 1".to_owned(),
            "seals 1 to 1 are missing",
        ),
        (
            format!("UPDATE audit_seal SET previous = repeat('0', 64) WHERE number = {newest}"),
            "does not continue the seal before it",
        ),
        (
            format!("UPDATE audit_seal SET hash = repeat('0', 64) WHERE number = {newest}"),
            "a row or the seal itself was changed",
        ),
        (
            format!(
                "UPDATE audit_seal SET at = at + interval '1 microsecond' WHERE number = {newest}"
            ),
            "a row or the seal itself was changed",
        ),
    ] {
        tamper(&pool, &statement).await;
        is_wrong(&pool, found, &[]).await;
        restore(&pool).await;
    }
    is_right(&pool, 3, &[]).await;
}

/// Whoever owns the tables can write everything anew. A seal that was noted outside of the database shows it.
#[sqlx::test]
async fn what_is_written_anew_is_found_by_a_noted_seal(pool: PgPool) {
    let noted = two_seals(&pool).await;
    is_right(&pool, 3, &["--seal", &noted]).await;

    // The newest rows, with their seals.
    tamper(
        &pool,
        "DELETE FROM audit_seal WHERE number > 1;
         DELETE FROM audit WHERE id > (SELECT last_id FROM audit_seal)",
    )
    .await;
    let ended = verify(&pool, &[]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    is_wrong(
        &pool,
        &format!("there is no seal {noted}"),
        &["--seal", &noted],
    )
    .await;
    restore(&pool).await;

    // All seals, by a gateway that does not know what was changed.
    tamper(
        &pool,
        "UPDATE audit SET operator = 'nobody'; DELETE FROM audit_seal",
    )
    .await;
    let gateway = TestGateway::start(pool.clone()).await;
    sealed(&pool).await;
    drop(gateway);
    is_right(&pool, 3, &[]).await;
    // The noted number may be greater than the number of seals that there are now.
    let one = format!("1:{}", "0".repeat(64));
    is_wrong(&pool, "the audit was written anew", &["--seal", &one]).await;
    let ended = verify(&pool, &["--seal", &noted, "--seal", &one]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(ended.stdout.contains("2 problems"), "{}", ended.stdout);
}

#[sqlx::test]
async fn a_seal_that_is_none_is_refused(pool: PgPool) {
    for text in ["12", "12:abc", "x:0", ":"] {
        let ended = verify(&pool, &["--seal", text]).await;
        assert_eq!(ended.code, Some(2), "{text}");
        assert!(
            ended.stderr.contains("must be the number of a seal"),
            "{}",
            ended.stderr
        );
    }
}
