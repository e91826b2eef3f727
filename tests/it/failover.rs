//! The database becomes unavailable, and then available again.

use private_postgres::{Options, PrivatePostgres};
use serde_json::json;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;

use crate::support::{
    Answer, caller::Caller, eventually::eventually, fixtures::client, system::System,
};

pub(crate) fn postgres() -> PrivatePostgres {
    let options = Options {
        durable: false,
        ..Options::default()
    };
    block_in_place(|| PrivatePostgres::start(options)).expect("a private Postgres")
}

pub(crate) fn assert_unavailable(answer: &Answer) {
    let problem = answer.problem();
    assert_eq!(problem, (503, "database_unavailable".to_owned()));
    assert_eq!(answer.header("retry-after"), "5");
}

pub(crate) async fn count(connection: &mut PgConnection, table: &str) -> i64 {
    let query = format!("SELECT count(*) FROM {table}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(query))
        .fetch_one(connection)
        .await
        .expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_away_is_used_again_at_the_first_request() {
    let mut postgres = postgres();
    let system = System::on(&postgres.url("postgres")).await;
    let gateway = system.process().await;
    // The pool is full of connections, and each of them will be broken.
    let accepted = futures_util::future::join_all((0..40).map(|n| {
        let data = client(&format!("BEFORE-{n}"));
        gateway.send("CLIENT_CREATE", data)
    }));
    for tracking_id in accepted.await {
        assert_eq!(gateway.end_of(&tracking_id).await["status"], "success");
    }

    block_in_place(|| postgres.kill_immediately()).expect("a kill");
    for _ in 0..2 {
        assert_unavailable(&gateway.operate("CLIENT_CREATE", client("AWAY")).await);
    }
    eventually("the gateway is not ready", async || {
        gateway.get("/readyz").await.status == 503
    })
    .await;
    assert_eq!(gateway.get("/healthz").await.status, 200);

    block_in_place(|| postgres.start_again()).expect("a start");
    for n in 0..20 {
        let end = gateway
            .run("CLIENT_CREATE", client(&format!("AFTER-{n}")))
            .await;
        assert_eq!(end["status"], "success", "{end}");
    }
    eventually("the gateway is ready", async || {
        gateway.get("/readyz").await.status == 200
    })
    .await;
    let mut connection = PgConnection::connect(&postgres.url("postgres"))
        .await
        .expect("a connection");
    assert_eq!(
        count(&mut connection, "operation").await,
        60,
        "refused operations left no rows"
    );
    assert_eq!(system.ledger().await.len(), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fineract_said_while_the_database_was_away_is_not_lost() {
    let mut postgres = postgres();
    let mut system = System::on(&postgres.url("postgres")).await;
    system.set("FINERACT_TIMEOUT_SECONDS", "30");
    system.set("WORKER_LEASE_SECONDS", "40");
    let slow =
        json!({"match": {"method": "POST", "path": "/clients"}, "fault": "slow", "delay_ms": 1000});
    system.fault(slow).await;
    let gateway = system.process().await;
    let tracking_id = gateway.send("CLIENT_CREATE", client("C")).await;
    let mut connection = PgConnection::connect(&postgres.url("postgres"))
        .await
        .expect("a connection");
    eventually("sent", async || {
        count(&mut connection, "attempt").await == 1
    })
    .await;
    block_in_place(|| postgres.kill_immediately()).expect("a kill");
    eventually("executed", async || system.ledger().await.len() == 1).await;
    assert_unavailable(&gateway.operate("CLIENT_CREATE", client("AWAY")).await);

    block_in_place(|| postgres.start_again()).expect("a start");
    let end = gateway.end_of(&tracking_id).await;
    assert_eq!(end["success_response"]["resourceExternalId"], "C", "{end}");
    let mut connection = PgConnection::connect(&postgres.url("postgres"))
        .await
        .expect("a connection");
    assert_eq!(
        count(&mut connection, "attempt").await,
        1,
        "the command was not sent again"
    );
}

#[sqlx::test]
async fn killed_backends_halve_nothing(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.process().await;
    let mut accepted = Vec::new();
    let mut refused = 0;
    for round in 0..40 {
        let killing = sqlx::query_scalar!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
              WHERE application_name = 'fineract-gateway' AND datname = current_database()"
        );
        let ids: Vec<_> = (0..4).map(|n| format!("C-{round}-{n}")).collect();
        let posts = futures_util::future::join_all(
            ids.iter()
                .map(|id| gateway.operate("CLIENT_CREATE", client(id))),
        );
        let (answers, killed) = tokio::join!(posts, killing.fetch_one(&pool));
        assert!(killed.unwrap().is_some());
        for answer in answers {
            if answer.status == 202 {
                accepted.push(answer.json()["tracking_id"].as_str().unwrap().to_owned());
            } else {
                assert_unavailable(&answer);
                refused += 1;
            }
        }
    }
    assert!(!accepted.is_empty(), "{refused} refused");
    for tracking_id in &accepted {
        assert_eq!(gateway.end_of(tracking_id).await["status"], "success");
    }
    let mut connection = pool.acquire().await.unwrap();
    for table in ["operation", "payload", "result", "lane"] {
        let rows = count(&mut connection, table).await;
        assert_eq!(usize::try_from(rows).unwrap(), accepted.len(), "{table}");
    }
    assert_eq!(system.ledger().await.len(), accepted.len());
}

/// Terminates the backend of the gateway that commits and `waits`, as soon as there is one.
async fn terminate_who(waits: &str, connection: &mut PgConnection) {
    let terminate = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
          WHERE application_name = 'fineract-gateway' AND {waits}
            -- The statement that accepts is a transaction of its own.
            AND (query = 'COMMIT' OR query LIKE '%accept_operations(%')"
    );
    eventually(waits, async || {
        let terminated: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(terminate.clone()))
            .fetch_one(&mut *connection)
            .await
            .expect("a count");
        terminated == 1
    })
    .await;
}

pub(crate) async fn run(statement: &'static str, connection: &mut PgConnection) {
    let ran = sqlx::raw_sql(statement).execute(connection).await;
    ran.expect("the statement runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_not_answered_is_asked_for() {
    let postgres = postgres();
    let mut system = System::on(&postgres.url("postgres")).await;
    system.set("ROLE", "api");
    let gateway = system.process().await;
    let mut connection = PgConnection::connect(&postgres.url("postgres"))
        .await
        .expect("a connection");
    // The backend is terminated during the commit, so the transaction is rolled back.
    run(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN PERFORM pg_sleep(20); RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON operation DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION slow()",
        &mut connection,
    )
    .await;
    let (answer, ()) = tokio::join!(
        gateway.operate("CLIENT_CREATE", client("C")),
        terminate_who("wait_event = 'PgSleep'", &mut connection)
    );
    assert_unavailable(&answer);
    assert_eq!(count(&mut connection, "operation").await, 0);

    // The backend is terminated after the commit, while it waits for a standby. So the transaction is committed.
    run("DROP FUNCTION slow CASCADE", &mut connection).await;
    run(
        "ALTER SYSTEM SET synchronous_standby_names = 'nobody'",
        &mut connection,
    )
    .await;
    run("SELECT pg_reload_conf()", &mut connection).await;
    let terminated = CancellationToken::new();
    let sending = async {
        let mut sent = 0;
        // The first operations may be accepted before the setting takes effect.
        while !terminated.is_cancelled() {
            gateway.send("CLIENT_CREATE", client("C")).await;
            sent += 1;
        }
        sent
    };
    let terminating = async {
        terminate_who("wait_event = 'SyncRep'", &mut connection).await;
        terminated.cancel();
    };
    let (sent, ()) = tokio::join!(sending, terminating);
    assert_eq!(count(&mut connection, "operation").await, sent);
}

/// Makes inserts into a table fail as on a full disk, until [`empty_disk`] is called.
async fn fill_disk(pool: &PgPool, table: &str) {
    let statements = format!(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
         CREATE TRIGGER full_disk BEFORE INSERT ON {table} EXECUTE FUNCTION full_disk()"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
        .execute(pool)
        .await
        .expect("a full disk");
}

async fn empty_disk(pool: &PgPool) {
    let emptied = sqlx::raw_sql("DROP FUNCTION full_disk CASCADE")
        .execute(pool)
        .await;
    emptied.expect("an empty disk");
}

async fn ends_well(gateway: &Caller, tracking_id: &str) {
    let end = gateway.end_of(tracking_id).await;
    assert_eq!(end["status"], "success", "{end}");
}

#[sqlx::test]
async fn a_full_disk_refuses_whole_operations(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    // This is the last table that an accept writes. The rows of the other tables must be rolled back too.
    fill_disk(&pool, "lane_entry").await;
    assert_unavailable(&gateway.operate("CLIENT_CREATE", client("C")).await);
    let mut connection = pool.acquire().await.unwrap();
    for table in ["operation", "payload", "lane", "idempotency"] {
        assert_eq!(count(&mut connection, table).await, 0, "{table}");
    }
    empty_disk(&pool).await;
    let tracking_id = gateway.send("CLIENT_CREATE", client("C")).await;
    ends_well(&gateway, &tracking_id).await;
}

#[sqlx::test]
async fn a_completion_that_finds_the_disk_full_is_tried_until_it_is_written(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    fill_disk(&pool, "result").await;
    let tracking_id = gateway.send("CLIENT_CREATE", client("C")).await;
    eventually("executed", async || system.ledger().await.len() == 1).await;
    let answer = gateway.send("CLIENT_CREATE", client("D")).await;
    eventually("executed", async || system.ledger().await.len() == 2).await;
    let mut connection = pool.acquire().await.unwrap();
    assert_eq!(count(&mut connection, "result").await, 0);
    empty_disk(&pool).await;
    ends_well(&gateway, &tracking_id).await;
    ends_well(&gateway, &answer).await;
    assert_eq!(
        count(&mut connection, "attempt").await,
        2,
        "neither command was sent again"
    );
}
