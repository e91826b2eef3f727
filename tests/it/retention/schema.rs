//! The archive has the columns of the hot tables.

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
