//! What the reader may not do, and what holds for tables of later versions.

use sqlx::PgPool;

use super::{Roles, are_refused, execute};

/// Tables on which a role has a right that it must not have, or lacks one.
const READER: &str = "
    SELECT relname::text || ' ' || wanted
      FROM pg_class, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) wanted
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')
       AND has_table_privilege(current_user, pg_class.oid, wanted) <> (wanted = 'SELECT')";

/// Functions that act for their owner, and that the role may call.
const FUNCTIONS: &str = "
    SELECT proname::text FROM pg_proc
     WHERE pronamespace = 'public'::regnamespace AND prosecdef
       AND has_function_privilege(current_user, oid, 'EXECUTE')";

async fn texts(pool: &PgPool, query: &'static str) -> Vec<String> {
    let texts = sqlx::query_scalar(query).fetch_all(pool).await;
    texts.expect("the database is there")
}

/// The database belonged to another role so far, as in deployments with one role.
#[sqlx::test]
async fn the_reader_only_reads(pool: PgPool) {
    let roles = Roles::create(&pool).await;
    roles.run_script().await;
    let reader = roles.pool_of(&roles.reader).await;
    assert_eq!(texts(&reader, READER).await, Vec::<String>::new());
    assert_eq!(texts(&reader, FUNCTIONS).await, Vec::<String>::new());
    are_refused(
        &reader,
        &[
            "CREATE TABLE x ()",
            "CREATE TEMPORARY TABLE x ()",
            "UPDATE operation SET state = state",
            "SELECT FROM operation FOR UPDATE",
            "INSERT INTO audit (operator, action, request_id, detail) VALUES ('x', 'retry', 'r', '{}')",
            "DELETE FROM audit",
            "SELECT number_events(1)",
            "SELECT nextval('audit_id_seq')",
        ],
    )
    .await;
    // Personal data can be read: a backup has it too.
    texts(&reader, "SELECT payload::text FROM payload").await;
    texts(&reader, "SELECT status::text FROM batch_record").await;
    reader.close().await;
    roles.drop().await;
}

/// The owner of the tables creates another one later, in a migration.
#[sqlx::test]
async fn rights_on_later_tables_are_granted(pool: PgPool) {
    let roles = Roles::create(&pool).await;
    let owner = roles.pool_of(&roles.owner).await;
    execute(
        &owner,
        "CREATE TABLE later (id bigint GENERATED ALWAYS AS IDENTITY, value text);
         CREATE FUNCTION later() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    )
    .await;
    let gateway = roles.pool_of(&roles.gateway).await;
    execute(
        &gateway,
        "INSERT INTO later (value) VALUES ('a'); UPDATE later SET value = 'b'; SELECT later(); DELETE FROM later",
    )
    .await;
    let reader = roles.pool_of(&roles.reader).await;
    texts(&reader, "SELECT value FROM later").await;
    let refused = [
        "INSERT INTO later (value) VALUES ('a')",
        "DELETE FROM later",
        "SELECT later()",
    ];
    are_refused(&reader, &refused).await;
    // Others do not even connect.
    let others = format!("CREATE ROLE others_{} LOGIN PASSWORD 'hush'", roles.reader);
    execute(&pool, &others).await;
    let url = roles.url(&format!("others_{}", roles.reader));
    let refused = PgPool::connect(&url)
        .await
        .expect_err("no right to connect");
    assert!(
        refused.to_string().contains("permission denied"),
        "{refused}"
    );
    execute(&pool, &format!("DROP ROLE others_{}", roles.reader)).await;
    for pool in [owner, gateway, reader] {
        pool.close().await;
    }
    roles.drop().await;
}
