//! What can be wrong with the database.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, PgPool};
use tokio::net::TcpListener;

use super::{doctor, healthy, make_healthy};
use crate::{
    failover::postgres,
    standby::{address, standby_of},
    support::{
        command::run as run_command,
        database::{is_true_on, url},
        eventually::eventually,
        pgbouncer::PgBouncer,
        system::System,
    },
};

async fn run(pool: &PgPool, statements: String) {
    let done = sqlx::raw_sql(AssertSqlSafe(statements)).execute(pool).await;
    done.expect("the database is there");
}

fn name(pool: &PgPool) -> String {
    let options = pool.connect_options();
    options.get_database().expect("a name").to_owned()
}

#[sqlx::test]
async fn a_database_that_does_not_answer(pool: PgPool) {
    let mut system = healthy(&pool).await;
    system.set(
        "DATABASE_URL",
        "postgres://gateway:hush@127.0.0.1:9/gateway",
    );
    let findings = doctor(&[], &system).await;
    findings.assert_wrong(&["database.reachable"], "cannot be reached");
    let text = findings.text("database.standbys");
    assert_eq!(text, "not_known: the database cannot be reached → ");
    let text = findings.text("fineract.keys.approve");
    assert!(text.starts_with("not_known: the stored verdicts"), "{text}");
    assert!(findings.all("fine").contains("fineract.login"));

    // This server accepts connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let silent = silent.local_addr().expect("an address");
    system.set(
        "DATABASE_URL",
        &format!("postgres://gateway:hush@{silent}/gateway"),
    );
    let started = Instant::now();
    let findings = doctor(&[], &system).await;
    findings.assert_wrong(&["database.reachable"], "cannot be reached");
    assert!(started.elapsed() < Duration::from_secs(20));

    system.set(
        "DATABASE_URL",
        "postgres://gateway:hush@127.0.0.1:hush/gateway",
    );
    let findings = doctor(&[], &system).await;
    findings.assert_wrong(&["database.reachable"], "DATABASE_URL is no Postgres URL");
}

#[sqlx::test]
async fn settings_of_the_database(pool: PgPool) {
    let database = name(&pool);
    let latin = format!("latin_{}", &database[database.len() - 20..]);
    run(
        &pool,
        format!("CREATE DATABASE \"{latin}\" TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"),
    )
    .await;
    let mut system = healthy(&pool).await;
    let right = system.setting("DATABASE_URL").expect("a URL");
    system.set("DATABASE_URL", &right.replace(&database, &latin));
    let findings = doctor(&[], &system).await;
    findings.assert_wrong(
        &["database.encoding", "database.schema"],
        "server_encoding is LATIN1",
    );
    run(&pool, format!("DROP DATABASE \"{latin}\"")).await;

    system.set("DATABASE_URL", &right);
    let set = format!(
        "ALTER DATABASE \"{database}\" SET default_transaction_read_only = on;
         ALTER DATABASE \"{database}\" SET synchronous_commit = off;"
    );
    run(&pool, set).await;
    let findings = doctor(&[], &system).await;
    findings.assert_wrong(
        &["database.writable"],
        "default_transaction_read_only is on",
    );
    // The gateway sets it on each connection, whatever the default is.
    let text = findings.text("database.synchronous_commit");
    assert_eq!(
        text,
        "fine: on for the connections of the gateway, which sets it on each of them → "
    );
}

#[sqlx::test]
async fn an_open_transaction(pool: PgPool) {
    let system = healthy(&pool).await;
    let mut open = pool.begin().await.expect("a transaction");
    let begun = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM lane";
    sqlx::raw_sql(begun)
        .execute(&mut *open)
        .await
        .expect("a snapshot");
    let pid: i32 = sqlx::query_scalar!("SELECT pg_backend_pid() AS \"pid!\"")
        .fetch_one(&mut *open)
        .await
        .expect("a number");
    let findings = doctor(&["--transaction-age", "0"], &system).await;
    let said = format!("the session with the process id {pid} has had a transaction open");
    findings.assert_wrong(&["database.long_transactions"], &said);

    let findings = doctor(&[], &system).await;
    assert!(findings.all("fine").contains("database.long_transactions"));
}

#[sqlx::test(migrations = false)]
async fn the_version_of_the_schema(pool: PgPool) {
    let system = healthy_without_verdicts(&pool).await;
    let findings = doctor(&[], &system).await;
    findings.assert_wrong(&["database.schema"], "fineract-gateway migrate");

    let migrated = run_command(&["migrate"], &[("DATABASE_URL", &url(&pool))]).await;
    assert_eq!(migrated.code, Some(0), "{}", migrated.stderr);
    run(
        &pool,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                VALUES (9999, 'newer', true, '', 0)"
            .to_owned(),
    )
    .await;
    let findings = doctor(&[], &system).await;
    findings.assert_wrong(&["database.schema"], "newer gateway");
}

async fn healthy_without_verdicts(pool: &PgPool) -> System {
    let mut system = System::on(&url(pool)).await;
    make_healthy(&mut system).await;
    system
}

#[sqlx::test]
async fn a_role_without_rights(pool: PgPool) {
    let database = name(&pool);
    // Postgres turns a name without quotes into lower case.
    let role = format!("role_{}", &database[database.len() - 20..]).to_lowercase();
    run(
        &pool,
        format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'hush';
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
         REVOKE UPDATE, DELETE ON operation FROM {role};"
        ),
    )
    .await;
    let mut system = healthy(&pool).await;
    let as_role = pool
        .connect_options()
        .as_ref()
        .clone()
        .username(&role)
        .password("hush");
    system.set("DATABASE_URL", as_role.to_url_lossy().as_str());
    let findings = doctor(&[], &system).await;
    findings.assert_wrong(
        &["database.rights"],
        "lacks DELETE on operation, UPDATE on operation",
    );
    let text = findings.text("database.long_transactions");
    assert!(
        text.contains("does not see the transactions of other roles"),
        "{text}"
    );

    run(
        &pool,
        format!("GRANT UPDATE, DELETE ON operation TO {role}"),
    )
    .await;
    let text = doctor(&[], &system).await.text("database.rights");
    assert!(
        text.starts_with("fine: the role may use all tables"),
        "{text}"
    );
    run(&pool, format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[sqlx::test]
async fn an_audit_that_can_be_changed(pool: PgPool) {
    let system = healthy(&pool).await;
    let disable = "ALTER TABLE audit_seal DISABLE TRIGGER audit_is_final";
    run(&pool, disable.to_owned()).await;
    let findings = doctor(&[], &system).await;
    findings.assert_wrong(&["database.audit"], "missing or switched off");
    // Enabled, but not in a session with session_replication_role = replica.
    let enable = "ALTER TABLE audit_seal ENABLE TRIGGER audit_is_final";
    run(&pool, enable.to_owned()).await;
    let findings = doctor(&[], &system).await;
    findings.assert_wrong(&["database.audit"], "missing or switched off");
    run(&pool, enable.replace("ENABLE", "ENABLE ALWAYS")).await;
    let text = doctor(&[], &system).await.text("database.audit");
    assert!(text.starts_with("fine: "), "{text}");
}

#[sqlx::test]
async fn a_pooler_that_mixes_up_sessions(pool: PgPool) {
    let pooler = PgBouncer::start(&url(&pool), "transaction", 4).await;
    let mut system = healthy(&pool).await;
    system.set("DATABASE_URL", &pooler.url);
    let findings = doctor(&[], &system).await;
    assert!(
        findings.wrong().contains("database.pooler"),
        "{:?}",
        findings.checks
    );
    assert!(
        findings
            .text("database.pooler")
            .contains("transaction mode")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn standbys_and_a_server_that_loses_commits() {
    let primary = postgres();
    let url = primary.url("postgres");
    let migrated = run_command(&["migrate"], &[("DATABASE_URL", &url)]).await;
    assert_eq!(migrated.code, Some(0), "{}", migrated.stderr);
    let mut system = System::on(&url).await;
    make_healthy(&mut system).await;
    let text = doctor(&[], &system).await.text("database.durability");
    assert!(text.starts_with("wrong: switched off: fsync"), "{text}");

    let standby = standby_of(&primary);
    let mut connection = PgConnection::connect(&url).await.expect("a connection");
    let streams = "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming')";
    eventually("the standby follows", async || {
        is_true_on(&mut connection, streams).await
    })
    .await;
    let text = doctor(&[], &system).await.text("database.standbys");
    assert!(
        text.starts_with("not_known: 1 standbys, none of them synchronous"),
        "{text}"
    );

    system.set("DATABASE_URL", &address(&primary, &standby));
    doctor(&[], &system)
        .await
        .assert_wrong(&["database.writable"], "in_hot_standby is on");

    system.set("DATABASE_URL", &url);
    let names = async |connection: &mut PgConnection, names: &str, then: &'static str| {
        for statement in [
            format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'"),
            "SELECT pg_reload_conf()".to_owned(),
        ] {
            let set = sqlx::raw_sql(AssertSqlSafe(statement))
                .execute(&mut *connection)
                .await;
            set.expect("it is set");
        }
        eventually(then, async || is_true_on(connection, then).await).await;
    };
    let in_sync = "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')";
    names(&mut connection, "*", in_sync).await;
    let text = doctor(&[], &system).await.text("database.standbys");
    assert!(text.starts_with("fine: 1 synchronous standbys"), "{text}");

    let nobody = "SELECT NOT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')";
    names(&mut connection, "nobody", nobody).await;
    doctor(&[], &system).await.assert_wrong(
        &["database.standbys"],
        "no synchronous standby is connected",
    );
}
