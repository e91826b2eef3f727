//! Functions that act for their owner, also in databases in which the script was never run.

use sqlx::{PgPool, migrate::Migrator};

use super::{Roles, are_refused, execute};
use crate::support::database::{is_true, program_url};

/// A role without the rights of the script, and how it connects.
async fn connect(pool: &PgPool, role: &str) -> PgPool {
    let mut url = program_url(&pool.connect_options());
    url.set_username(role).expect("a name");
    url.set_password(Some("hush")).expect("a password");
    let connected = PgPool::connect(url.as_str()).await;
    connected.expect("the role may connect")
}

fn new_role() -> String {
    format!("role_{}", uuid::Uuid::new_v4().simple())
}

const DROP_MONTH: &str = "SELECT drop_archive_month('2020-01-01', now())";
const ARCHIVE: &str = "SELECT archive_operations('{}', now())";
const NUMBER: &str = "SELECT number_events(1)";

#[sqlx::test]
async fn who_may_not_delete_operations_may_not_archive_or_drop_them(pool: PgPool) {
    let role = new_role();
    execute(&pool, &format!("CREATE ROLE {role} LOGIN PASSWORD 'hush'")).await;
    let stranger = connect(&pool, &role).await;
    are_refused(&stranger, &[DROP_MONTH, ARCHIVE]).await;
    // Their triggers would act for the owner on whatever the stranger makes.
    are_refused(
        &stranger,
        &[
            "CREATE TEMP TABLE a (retry_of uuid);
             CREATE TRIGGER a BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION keep_on_hold()",
            "CREATE TEMP TABLE b (id uuid);
             CREATE TRIGGER b AFTER INSERT ON b FOR EACH ROW EXECUTE FUNCTION write_events()",
            "CREATE TEMP TABLE c (id uuid);
             CREATE TRIGGER c AFTER INSERT ON c FOR EACH ROW EXECUTE FUNCTION count_credential_change()",
        ],
    )
    .await;
    stranger.close().await;
    execute(&pool, &format!("DROP ROLE {role}")).await;
    for missing in [
        "SELECT drop_archive_month('2020-01-01', NULL)",
        "SELECT drop_archive_month(NULL, now())",
        "SELECT archive_operations('{}', NULL)",
    ] {
        let refused = sqlx::raw_sql(missing).execute(&pool).await;
        let refused = refused.expect_err(missing);
        let code = refused
            .as_database_error()
            .and_then(|error| error.code().map(String::from));
        assert_eq!(code.as_deref(), Some("22004"), "{missing}: {refused}");
    }
}

/// A temporary table hides one of the archive with the same name, unless that is named with its schema.
#[sqlx::test]
async fn a_table_of_the_callers_own_is_no_month_of_the_archive(pool: PgPool) {
    let own = "CREATE TEMP TABLE archived_operation_2020_01 (ended_at timestamptz);
               CREATE TEMP TABLE archived_payload_2020_01 ();
               CREATE TEMP TABLE archived_attempt_2020_01 ();
               CREATE TEMP TABLE archived_result_2020_01 ();
               SELECT drop_archive_month('2020-01-01', now());
               SELECT FROM archived_operation_2020_01";
    let called = sqlx::raw_sql(own).execute(&pool).await;
    called.expect("the table is still there");
    assert!(is_true(&pool, "SELECT count(*) = 0 FROM dropped_month").await);
}

/// A deployment with roles of its own, which were given rights on the tables before the migration.
#[sqlx::test(migrations = false)]
async fn who_might_delete_operations_goes_on(pool: PgPool) {
    let all = sqlx::migrate!();
    let before = all
        .iter()
        .filter(|migration| migration.version < 15)
        .cloned();
    let before = Migrator {
        migrations: before.collect::<Vec<_>>().into(),
        ..Migrator::DEFAULT
    };
    before.run(&pool).await.expect("the older migrations");
    let (gateway, reader) = (new_role(), new_role());
    for (role, rights) in [
        (&gateway, "SELECT, INSERT, UPDATE, DELETE"),
        (&reader, "SELECT"),
    ] {
        let create = format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'hush'; GRANT {rights} ON ALL TABLES IN SCHEMA public TO {role}"
        );
        execute(&pool, &create).await;
    }
    all.run(&pool).await.expect("the migration");
    let as_gateway = connect(&pool, &gateway).await;
    for call in [DROP_MONTH, ARCHIVE, NUMBER] {
        execute(&as_gateway, call).await;
    }
    let as_reader = connect(&pool, &reader).await;
    are_refused(&as_reader, &[DROP_MONTH, ARCHIVE]).await;
    for connected in [as_gateway, as_reader] {
        connected.close().await;
    }
    let drop = format!("DROP OWNED BY {gateway}, {reader}; DROP ROLE {gateway}, {reader}");
    execute(&pool, &drop).await;
}

/// The script was run after the migration, or again.
#[sqlx::test]
async fn the_roles_of_the_script_may_call_what_they_need(pool: PgPool) {
    let roles = Roles::create(&pool).await;
    let gateway = roles.pool_of(&roles.gateway).await;
    for call in [DROP_MONTH, ARCHIVE, NUMBER] {
        execute(&gateway, call).await;
    }
    let reader = roles.pool_of(&roles.reader).await;
    assert!(
        is_true(
            &reader,
            "SELECT count(*) = 0 FROM (SELECT * FROM batch_record) r"
        )
        .await
    );
    execute(&reader, "SELECT * FROM batch_record").await;
    are_refused(&reader, &[DROP_MONTH, ARCHIVE, NUMBER]).await;
    for connected in [gateway, reader] {
        connected.close().await;
    }
    roles.drop().await;
}
