//! Databases as operators set them up: behind `PgBouncer`, and with other defaults than those of Postgres.

use std::{collections::BTreeSet, fs, path::Path};

use futures_util::future::join_all;
use sqlx::{AssertSqlSafe, PgPool};

use crate::{
    bad_start::refusal,
    failover::assert_unavailable,
    support::{
        caller::Caller, command::TemporaryFolder, database::url, eventually::eventually,
        fixtures::client, pgbouncer::PgBouncer, system::System,
    },
};

/// Gives the database defaults that would lose commits, refuse some commits and end connections. A trigger records
/// under which settings each operation is written.
async fn spoil(pool: &PgPool) {
    let statements = format!(
        "CREATE TABLE seen (what text);
         CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO seen VALUES (concat_ws(', ', current_setting('synchronous_commit'),
                 current_setting('transaction_isolation'), current_setting('statement_timeout')));
             RETURN NULL;
         END $$;
         CREATE TRIGGER see AFTER INSERT OR UPDATE ON operation FOR EACH ROW EXECUTE FUNCTION see();
         ALTER DATABASE \"{database}\" SET synchronous_commit = off;
         ALTER DATABASE \"{database}\" SET default_transaction_isolation = 'serializable';
         ALTER DATABASE \"{database}\" SET statement_timeout = '7s';
         ALTER DATABASE \"{database}\" SET idle_session_timeout = '2s'",
        database = pool.connect_options().get_database().expect("a name")
    );
    run(pool, statements).await;
}

async fn run(pool: &PgPool, statements: String) {
    let ran = sqlx::raw_sql(AssertSqlSafe(statements)).execute(pool).await;
    ran.expect("the statements run");
}

/// Sends 200 operations at once. All must be accepted and succeed.
async fn runs_200(system: &System, gateway: &Caller) {
    let posts =
        join_all((0..200).map(|n| gateway.operate("CLIENT_CREATE", client(&format!("C-{n}")))));
    let mut accepted = Vec::new();
    for answer in posts.await {
        assert_eq!(answer.status, 202, "{}", answer.text);
        accepted.push(answer.json()["tracking_id"].as_str().unwrap().to_owned());
    }
    for end in join_all(accepted.iter().map(|id| gateway.end_of(id))).await {
        assert_eq!(end["status"], "success", "{end}");
    }
    assert_eq!(system.ledger().await.len(), 200);
}

async fn assert_seen(pool: &PgPool) {
    let seen: Vec<String> = sqlx::query_scalar("SELECT DISTINCT what FROM seen")
        .fetch_all(pool)
        .await
        .expect("what was seen");
    assert_eq!(seen, ["on, read committed, 25s"]);
}

#[sqlx::test]
async fn what_the_database_has_as_defaults_changes_nothing(pool: PgPool) {
    spoil(&pool).await;
    let system = System::on(&url(&pool)).await;
    let gateway = system.process().await;
    runs_200(&system, &gateway).await;
    assert_seen(&pool).await;
}

#[sqlx::test]
async fn a_session_pooler_with_fewer_connections_than_ours_is_enough(pool: PgPool) {
    spoil(&pool).await;
    let pooler = PgBouncer::start(&url(&pool), "session", 4).await;
    let system = System::on(&pooler.url).await;
    let gateway = system.process().await;
    runs_200(&system, &gateway).await;
    assert_seen(&pool).await;
    assert_eq!(gateway.get("/readyz").await.status, 200);
}

#[sqlx::test]
async fn two_gateways_share_a_session_pooler(pool: PgPool) {
    let pooler = PgBouncer::start(&url(&pool), "session", 8).await;
    let system = System::on(&pooler.url).await;
    let (one, other) = (system.process().await, system.process().await);
    let posts = (0..200).map(|n| {
        let gateway = if n % 2 == 0 { &one } else { &other };
        gateway.run("CLIENT_CREATE", client(&format!("C-{n}")))
    });
    for end in join_all(posts).await {
        assert_eq!(end["status"], "success", "{end}");
    }
    assert_eq!(system.ledger().await.len(), 200);
}

#[sqlx::test]
async fn a_pooler_that_mixes_up_sessions_is_refused(pool: PgPool) {
    let mut said = BTreeSet::new();
    for mode in ["transaction", "statement"] {
        for connections in [1, 5] {
            let pooler = PgBouncer::start(&url(&pool), mode, connections).await;
            said.insert(refusal(&pooler.url).await);
        }
    }
    let expected = "fineract-gateway: DATABASE_URL leads to a pooler in transaction mode, which mixes up sessions: \
                    use Postgres itself, or a pooler in session mode\n";
    assert_eq!(said.into_iter().collect::<Vec<_>>(), [expected]);
}

#[sqlx::test]
async fn a_pooler_with_one_connection_is_refused(pool: PgPool) {
    let pooler = PgBouncer::start(&url(&pool), "session", 1).await;
    let said = refusal(&pooler.url).await;
    assert!(said.contains("gives no second connection"), "{said}");
}

#[sqlx::test]
async fn a_database_that_cannot_be_made_fit_is_refused(pool: PgPool) {
    let options = pool.connect_options();
    let database = options.get_database().expect("a name");
    // The name of the database already has the maximum length, so only its end is used.
    let latin = format!("latin_{}", &database[database.len() - 20..]);
    let cases = [
        (
            format!("CREATE DATABASE \"{latin}\" TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"),
            latin.as_str(),
            "the database's server_encoding is LATIN1, and has to be UTF8",
        ),
        (
            format!("ALTER DATABASE \"{database}\" SET default_transaction_read_only = on"),
            database,
            "the database's default_transaction_read_only is on, and has to be off",
        ),
    ];
    for (statement, name, complaint) in cases {
        run(&pool, statement).await;
        let url = url(&pool).replace(database, name);
        let expected = format!("fineract-gateway: {complaint}\n");
        assert_eq!(refusal(&url).await, expected);
    }
    run(&pool, format!("DROP DATABASE \"{latin}\"")).await;
}

#[sqlx::test]
async fn a_database_that_becomes_read_only_is_not_written(pool: PgPool) {
    let options = pool.connect_options();
    let database = options.get_database().expect("a name");
    let set = async |value: &str| {
        let statement = format!(
            "BEGIN READ WRITE;
             ALTER DATABASE \"{database}\" SET default_transaction_read_only = {value};
             COMMIT"
        );
        run(&pool, statement).await;
        // Only new connections have the new default, so the gateway's connections are terminated.
        let terminate = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                          WHERE application_name = 'fineract-gateway' AND datname = current_database()";
        run(&pool, terminate.to_owned()).await;
    };
    let system = System::on(&url(&pool)).await;
    let folder = TemporaryFolder::new();
    let log = Path::new(folder.path()).join("log");
    let file = fs::File::create(&log).expect("a log");
    let gateway = system.process_with_log("warn", file.into()).await;
    gateway.send("CLIENT_CREATE", client("BEFORE")).await;
    set("on").await;
    let refused = gateway.operate("CLIENT_CREATE", client("REFUSED")).await;
    assert_unavailable(&refused);
    let reason_code = "the database's default_transaction_read_only is on, and has to be off";
    let said = fs::read_to_string(&log).expect("a log");
    assert!(said.contains(reason_code), "{said}");
    set("off").await;
    eventually("the database is writable again", async || {
        let answer = gateway.operate("CLIENT_CREATE", client("AFTER")).await;
        answer.status == 202
    })
    .await;
}
