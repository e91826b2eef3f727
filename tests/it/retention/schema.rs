//! The archive has the columns of the hot tables, and its functions are planned as they must be.

use sqlx::PgPool;

/// Rows are moved by the order of their columns. Whoever adds a column to a hot table has to add it to the archive, too.
#[sqlx::test]
async fn the_archive_and_the_views_have_the_columns_of_the_hot_tables(pool: PgPool) {
    for part in ["operation", "payload", "attempt", "result"] {
        let columns = async |table: String| {
            let columns = sqlx::query_scalar!(
                r#"SELECT attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attcollation::text AS "column!"
                     FROM pg_attribute
                    WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped
                    ORDER BY attnum"#,
                table
            );
            columns
                .fetch_all(&pool)
                .await
                .expect("the database is there")
        };
        let hot = columns(part.to_owned()).await;
        assert_eq!(columns(format!("archived_{part}")).await, hot, "{part}");
        // By attempts, no list walks.
        if part != "attempt" {
            assert_eq!(columns(format!("known_{part}")).await, hot, "{part}");
        }
    }
}

/// A plan for any ids opens every partition, or joins without an index. Postgres would choose it from the sixth call of a
/// connection on.
#[sqlx::test]
async fn functions_that_read_the_archive_are_planned_for_their_ids(pool: PgPool) {
    let planned_once = sqlx::query_scalar!(
        r#"SELECT proname::text AS "name!"
             FROM pg_proc
             JOIN pg_language l ON l.oid = prolang
            WHERE pronamespace = current_schema()::regnamespace AND proname LIKE 'archived\_%' AND lanname = 'plpgsql'
              AND 'plan_cache_mode=force_custom_plan' <> ALL (COALESCE(proconfig, '{}'))"#
    );
    let planned_once = planned_once.fetch_all(&pool).await;
    assert_eq!(planned_once.expect("the database is there"), [""; 0]);
}
